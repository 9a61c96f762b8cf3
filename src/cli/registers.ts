import { registerGrants } from './access/grants.ts'
import { registerLs } from './access/ls.ts'
import { registerPolicy } from './access/policy.ts'
import { registerRequest } from './access/request.ts'
import { registerRequests } from './access/requests.ts'
import { registerUsage } from './access/usage.ts'
import { registerAws } from './aws/aws.ts'
import type { Register } from './cli.ts'
import { registerConnect } from './connect/connect.ts'
import { registerForward } from './connect/forward.ts'
import { registerMysql } from './connect/mysql.ts'
import { registerPsql } from './connect/psql.ts'
import { registerShell } from './connect/shell.ts'
import { registerCopy } from './copy/copy.ts'
import { registerIdentityCenter } from './identity-center/identity-center.ts'
import { registerKube } from './kube/kube.ts'
import { registerLogin } from './login/login.ts'
import { registerAudit } from './operate/audit.ts'
import { registerBackup } from './operate/backup.ts'
import { registerConfig } from './operate/config.ts'
import { registerLock } from './operate/lock.ts'
import { registerRecordings } from './operate/recordings.ts'
import { registerRestore } from './operate/restore.ts'
import { registerServe } from './operate/serve.ts'
import { registerServiceAccounts } from './operate/service-accounts.ts'
import { registerSessions } from './operate/sessions.ts'
import { registerStore } from './operate/store.ts'
import { registerSync } from './operate/sync.ts'
import { registerTokens } from './operate/tokens.ts'
import { registerSsh } from './ssh/ssh.ts'

/** Every command of `sallyport`, in the order of its help. */
export const registers: readonly Register[] = [
  registerLogin,
  registerLs,
  registerRequest,
  registerRequests,
  registerGrants,
  registerUsage,
  registerConnect,
  registerPsql,
  registerMysql,
  registerShell,
  registerForward,
  registerCopy,
  registerSsh,
  registerKube,
  registerAws,
  registerIdentityCenter,
  registerSessions,
  registerTokens,
  registerServiceAccounts,
  registerLock,
  registerAudit,
  registerRecordings,
  registerPolicy,
  registerSync,
  registerConfig,
  registerServe,
  registerBackup,
  registerRestore,
  registerStore,
]
