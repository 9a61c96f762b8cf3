import type { AwsCredentials } from '../../aws/aws.ts'
import type { LeaseTerms } from '../leases.ts'
import type { RdsLevel } from './level.ts'
import type { RdsTarget } from './target.ts'

/** The narrowest that AWS allows: signing in as one user of one database. */
export const databaseLease: LeaseTerms<RdsTarget, RdsLevel> = {
  ask: (_, { partition, account, region, role, resourceId }, { dbUser }) => {
    const resource = `arn:${partition}:rds-db:${region}:${account}:dbuser:${resourceId}/${dbUser}`
    const statement = { Effect: 'Allow', Action: 'rds-db:connect', Resource: resource }
    return { role, policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) }
  },
  sign: (target, { dbUser }, held) => sign(target, dbUser, held),
  keyOf: ({ dbUser }) => dbUser,
}

/** Signed for the endpoint's own name and port, even when another address is dialled. */
export async function sign(
  target: Pick<RdsTarget, 'endpoint' | 'port' | 'region'>,
  username: string,
  held: AwsCredentials,
): Promise<string> {
  const { Signer } = await import('@aws-sdk/rds-signer')
  const { accessKeyId, secretAccessKey, sessionToken } = held
  const { endpoint: hostname, port, region } = target
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
  return await new Signer({ hostname, port, username, region, credentials }).getAuthToken()
}
