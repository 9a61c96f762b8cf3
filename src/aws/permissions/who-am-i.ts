import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { toAwsError } from '../aws-errors.ts'
import { clientOptions } from '../client-options.ts'
import { counted } from '../counted.ts'
import { type CallDeps, identityOf } from './calls.ts'

export interface WhoAmI {
  /** Of a session where the caller is a role. */
  readonly arn: string
  readonly account: string
  /** How far the clock of the machine is ahead of that of AWS; null: AWS did not say what time it is. */
  readonly aheadMs: number | null
}

/** `sts:GetCallerIdentity`, which needs no permission. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
export async function whoAmI(
  deps: CallDeps & { readonly config: Pick<Config['aws'], 'endpoints' | 'regions'>; readonly clock: Clock },
): Promise<WhoAmI> {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts')
  const client = new STSClient({
    ...(await clientOptions(deps.config, 'sts')),
    ...(await identityOf(deps)),
    region: deps.config.regions[0] ?? 'us-east-1',
  })
  let aheadMs: number | null = null
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      // Before the SDK corrects its own idea of the time.
      const { headers = {} } = (result.response ?? {}) as { headers?: Record<string, string> }
      const theirs = Date.parse(headers.date ?? '')
      if (!Number.isNaN(theirs)) aheadMs = deps.clock.now() - theirs
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'dateOfAnswer' },
  )
  try {
    const { Arn: arn = '', Account: account = '' } = await counted(
      deps.metrics,
      { service: 'sts', operation: 'GetCallerIdentity' },
      () => client.send(new GetCallerIdentityCommand({}), { abortSignal: deps.signal }),
    )
    if (arn === '') throw new BrokerError('AWS_UNAVAILABLE', 'STS did not say who the broker is')
    return { arn, account, aheadMs }
  } catch (error) {
    deps.signal.throwIfAborted()
    const step = { what: 'the identity of the broker', arn: '', needs: '', wantsExternalId: false }
    throw toAwsError(error, step)
  } finally {
    client.destroy()
  }
}
