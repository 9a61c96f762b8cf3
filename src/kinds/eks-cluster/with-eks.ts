import type { EKSClient } from '@aws-sdk/client-eks'
import type { AwsCredentials } from '../../aws/aws.ts'
import { clientOptions, toIdentity } from '../../aws/client-options.ts'
import type { Config } from '../../config/config.ts'

/** Uses the API of EKS in one region. @throws what `use` throws */
export async function withEks<T>(
  aws: Pick<Config['aws'], 'endpoints'>,
  region: string,
  credentials: AwsCredentials,
  use: (client: EKSClient) => Promise<T>,
): Promise<T> {
  const { EKSClient } = await import('@aws-sdk/client-eks')
  const client = new EKSClient({ region, credentials: toIdentity(credentials), ...(await clientOptions(aws, 'eks')) })
  try {
    return await use(client)
  } finally {
    client.destroy()
  }
}
