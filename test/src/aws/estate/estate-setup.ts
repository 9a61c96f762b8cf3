import type { Test } from 'tap'
import type { AwsPlace } from '../../../../src/aws/estate/place-caller.ts'
import type { World } from '../../../sandbox/aws/world.ts'
import type { AwsOptions } from '../../../sandbox/aws.ts'
import { accounts, createWorld, region } from '../../../sandbox/default-world.ts'
import { startHub, startMotoHub, unhurried } from '../hub-setup.ts'

export const place: AwsPlace = { partition: 'aws', account: accounts.data, region }

/** What readers of the estate are made with, against a referee. */
export async function startEstate(
  t: Test,
  change: (world: World) => void = () => {},
  options: Pick<AwsOptions, 'onExchange'> = {},
) {
  const world = createWorld()
  change(world)
  const { aws, broker, config, metrics, outcomes } = await startHub(t, world, options)
  const operations = () => aws.calls.flatMap(({ action }) => (/^AssumeRole/.test(action) ? [] : [action]))
  return { aws, world, deps: { aws: broker, config, metrics, pace: unhurried }, outcomes, operations }
}

/** The same against an AWS that others wrote, with keys of the account to fill it. */
export async function startMotoEstate(t: Test, endpoints: Readonly<Record<string, string>> = {}) {
  const { url, broker, config, metrics } = await startMotoHub(t)
  const { accessKeyId, secretAccessKey, sessionToken } = await broker.spoke(place)
  const client = { endpoint: url, region, credentials: { accessKeyId, secretAccessKey, sessionToken } }
  const where = { ...config, endpoints: { ...config.endpoints, ...endpoints } }
  return { client, deps: { aws: broker, config: where, metrics, pace: unhurried } }
}
