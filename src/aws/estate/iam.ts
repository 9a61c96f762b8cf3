import { createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

export type Iam = Awaited<ReturnType<typeof load>>

/** IAM is one endpoint for each partition, and signs for this region. */
const regions: Readonly<Record<string, string>> = { 'aws-cn': 'cn-north-1', 'aws-us-gov': 'us-gov-west-1' }

/** IAM of any account, which shares its limits with all else that asks there. */
export function iamCaller(deps: EstateDeps) {
  const callAt = createPlaceCaller(deps, {
    service: 'iam',
    title: 'IAM',
    feature: 'discovery',
    pace: { perSecond: 5, burst: 5, atOnce: 2 },
    requestMs: 30_000, // it puts together a thousand roles with all their policies
    createClient: load,
  })
  return ({ partition, account }: { readonly partition: string; readonly account: string }) =>
    callAt({ partition, account, region: regions[partition] ?? 'us-east-1' })
}

async function load(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-iam')
  return { sdk, client: new sdk.IAMClient(options) }
}
