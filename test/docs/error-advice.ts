import type { ErrorCode } from '../../proxy/session.ts'

/** What a person can do about each error; a code without advice does not compile. */
export const advice: Readonly<Record<ErrorCode, string>> = {
  TOKEN_INVALID:
    'Create a new connect token with `sallyport connect RESOURCE --token`, or sign in with `sallyport login`.',
  LOGIN_REQUIRED: '`sallyport login`, or `sallyport login --device` where there is no browser.',
  LOGIN_TOO_OLD: '`sallyport login --fresh`: the rule requires a recent sign-in.',
  LOGIN_FAILED: 'Try again; the message says which step failed. The daemon logs the reason the provider gave.',
  PROVIDER_UNAVAILABLE: 'Wait until the identity provider is available again; sign-ins fail until then.',
  PRINCIPAL_LOCKED: 'Ask an admin, who can `sallyport unlock`; `sallyport audit search` shows who locked it and why.',
  PRINCIPAL_INACTIVE: 'Sign in again; if that fails, your account at the identity provider is disabled.',
  ROLE_REQUIRED: 'Ask a member of a group in `oidc.admin_groups` or `oidc.auditor_groups`.',
  SCOPE_REQUIRED: 'Create an API token with the scope that the message names.',
  INTERACTIVE_REQUIRED: 'Do it in the browser, or after `sallyport login`: decisions are never made with a token.',
  ORIGIN_REFUSED: 'Open the page at `server.public_url`; a proxy in front must forward `Host`.',
  ADDRESS_REFUSED: 'Use the token from the network it was created for, or create another.',
  GRANT_DENIED: '`sallyport policy why me RESOURCE` says which condition fails; `sallyport request` requests access.',
  GRANT_EXPIRED: '`sallyport request` again. `sallyport extend` extends a grant before it ends.',
  GRANT_TAMPERED:
    'Inform your security team: the database was changed outside the broker. `sallyport audit verify` shows what else is wrong.',
  DECISION_REFUSED:
    'Another approver must decide: requesters cannot approve their own requests, and one person can approve only one stage.',
  STALE: 'Read it again, then decide.',
  RESOURCE_UNKNOWN: '`sallyport ls` shows what you may request.',
  RESOURCE_AMBIGUOUS: 'Write the full id, as `sallyport ls` shows it.',
  LEVEL_UNKNOWN: '`sallyport ls` shows the levels of each resource.',
  SESSION_TAG_UNUSABLE:
    'the level puts values of the request or of your ID token into the tags of its sessions, and one is missing or cannot stand there: the text says which. Give a ticket, or sign in again so that the identity provider sends the claim',
  LOGIN_NAME_UNUSABLE:
    'The message says what is wrong with it. It comes from the claim `oidc.login_claim` of your sign-in; nothing else takes its place.',
  DATABASE_DENIED: 'Connect to a database of the level (`databases` in the configuration), or request another level.',
  SESSION_KILLED: 'The message says who ended it. The grant may still be live: connect again.',
  LIMIT_REACHED: 'Fetch less at a time (`max_rows`, `statement_timeout` of the level).',
  TOO_MANY_SESSIONS:
    'Close sessions you no longer use, or reduce the pool size; operators: `limits` in the configuration.',
  RESUME_REFUSED:
    'Open another session: this one has ended, or its key was used or belongs to another sign-in. The message says which.',
  SESSION_ELSEWHERE:
    'Try again: the load balancer may lead to the daemon that has the session. Page and command do so by themselves.',
  IDLE: 'Connect again.',
  DRAINING: 'Connect again in a moment: the daemon is restarting.',
  PROTOCOL_ERROR: 'Check that the client speaks PostgreSQL to this port; otherwise report it, with the session id.',
  UNSUPPORTED: 'Connect without the feature that the message names.',
  TLS_REQUIRED: 'Set `sslmode=require` or stricter: passwords are sent only inside TLS.',
  HANDSHAKE_TIMEOUT: 'Connect again; if it happens again, check the network between client and broker.',
  TARGET_UNREACHABLE: 'Operators: `endpoint`, `port`, security groups and routes between broker and target.',
  TARGET_UNTRUSTED:
    'Operators: `endpoint` must be the name in the certificate; `ca` names roots other than those of RDS.',
  TARGET_REFUSED: 'Operators: the database user must exist with `rds_iam` granted; the log has the target’s message.',
  TARGET_LOST: 'Connect again; the target restarted or the network broke.',
  AWS_DENIED:
    'Operators: trust policy and ExternalId of the role, and `rds-db:connect` for the database user; see the log.',
  AWS_UNAVAILABLE: 'Try again; operators: the route to STS, and `aws.regions`.',
  AWS_REGION_OFF:
    'Operators: enable it in the account, or take it out of `aws.regions`; what is discovered leaves it out by itself.',
  AUDIT_UNAVAILABLE: 'Operators: disk space and permissions of the store. Revocation still works.',
  RECORDING_FAILED: 'Operators: disk space and permissions of `recordings.dir`, and its quotas.',
  RESTORE_UNCONFIRMED:
    'Operators: the store is not the one that this machine left: a backup, or changed outside the broker. `/readyz` says why and what to run.',
  PEER_REFUSED:
    'Operators: daemons of one installation share `keys.dir`, and their clocks differ by less than five seconds.',
  PEER_UNREACHABLE:
    'Try again; operators: the daemon is stopped, or its `server.peer_url` does not lead to it. What only it holds, such as a recording, is there once it runs.',
  CLOCK_WRONG:
    'Connect again, which leads to another daemon; operators: `/readyz` says by how much its clock differs from that of the store.',
  NOT_LEADER: 'Try again; operators: the daemon stopped leading in the middle of work, which its successor does anew.',
  STORE_UNAVAILABLE: 'Operators: disk and file of the store. Open sessions end after `store.grace`.',
  RATE_LIMITED: 'Wait as long as `Retry-After` says.',
  INVALID_INPUT: 'Correct the field that the message names.',
  NOT_FOUND: 'Check the id or the path.',
  CONFIG_INVALID: '`sallyport config check FILE` prints every problem with its line.',
  INTERNAL: 'Report it with the session or request id; the daemon’s log has the cause.',
}
