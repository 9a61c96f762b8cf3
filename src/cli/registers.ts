import { registerAudit } from './audit.ts'
import { registerAws } from './aws.ts'
import type { Register } from './cli.ts'
import { registerConfig } from './config.ts'
import { registerConnect } from './connect.ts'
import { registerGrants } from './grants.ts'
import { registerLock } from './lock.ts'
import { registerLogin } from './login.ts'
import { registerLs } from './ls.ts'
import { registerPolicy } from './policy.ts'
import { registerPsql } from './psql.ts'
import { registerRecordings } from './recordings.ts'
import { registerRequest } from './request.ts'
import { registerRequests } from './requests.ts'
import { registerServe } from './serve.ts'
import { registerSessions } from './sessions.ts'
import { registerTokens } from './tokens.ts'

/** Every command of `sallyport`, in the order of its help. */
export const registers: readonly Register[] = [
  registerLogin,
  registerLs,
  registerRequest,
  registerRequests,
  registerGrants,
  registerConnect,
  registerPsql,
  registerAws,
  registerSessions,
  registerTokens,
  registerLock,
  registerAudit,
  registerRecordings,
  registerPolicy,
  registerConfig,
  registerServe,
]
