import type { Migration } from 'kysely/migration'
import * as settings from './0000-settings.ts'
import * as identity from './0001-identity.ts'
import * as access from './0002-access.ts'
import * as sessions from './0003-sessions.ts'
import * as audit from './0004-audit.ts'
import * as roleCredentials from './0005-role-credentials.ts'
import * as auditHeadMac from './0006-audit-head-mac.ts'
import * as signedSessions from './0007-signed-sessions.ts'
import * as owners from './0008-owners.ts'
import * as sharedSignIns from './0009-shared-sign-ins.ts'
import * as daemons from './0010-daemons.ts'
import * as sharedCounts from './0011-shared-counts.ts'
import * as targetIds from './0012-target-ids.ts'
import * as loginNames from './0013-login-names.ts'
import * as inventory from './0014-inventory.ts'
import * as risk from './0015-risk.ts'
import * as usage from './0016-usage.ts'
import * as validations from './0017-validations.ts'
import * as sessionTags from './0018-session-tags.ts'
import * as inventoryAccounts from './0019-inventory-accounts.ts'
import * as eventQueue from './0020-event-queue.ts'
import * as pushes from './0021-pushes.ts'

/** In order of their names; once released, a migration is never edited. */
export const migrations: Record<string, Migration> = {
  '0000-settings': settings,
  '0001-identity': identity,
  '0002-access': access,
  '0003-sessions': sessions,
  '0004-audit': audit,
  '0005-role-credentials': roleCredentials,
  '0006-audit-head-mac': auditHeadMac,
  '0007-signed-sessions': signedSessions,
  '0008-owners': owners,
  '0009-shared-sign-ins': sharedSignIns,
  '0010-daemons': daemons,
  '0011-shared-counts': sharedCounts,
  '0012-target-ids': targetIds,
  '0013-login-names': loginNames,
  '0014-inventory': inventory,
  '0015-risk': risk,
  '0016-usage': usage,
  '0017-validations': validations,
  '0018-session-tags': sessionTags,
  '0019-inventory-accounts': inventoryAccounts,
  '0020-event-queue': eventQueue,
  '0021-pushes': pushes,
}
