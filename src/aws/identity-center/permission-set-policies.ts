import type {
  AttachedManagedPolicy,
  CustomerManagedPolicyReference,
  PermissionsBoundary,
} from '@aws-sdk/client-sso-admin'
import { allPages } from '../pages.ts'
import { nullIf, type ServiceCall } from '../service-caller.ts'
import type { PermissionSetPolicies } from './picture.ts'

type SsoCall = ServiceCall<{
  readonly sdk: typeof import('@aws-sdk/client-sso-admin')
  readonly client: import('@aws-sdk/client-sso-admin').SSOAdminClient
}>

const MaxResults = 100
const notFound = ['ResourceNotFound']

/**
 * What a permission set allows: four calls, more where its lists have pages.
 * @returns null: there is no such permission set @throws as the call does
 */
export async function readPolicies(
  sso: SsoCall,
  of: { readonly InstanceArn: string; readonly PermissionSetArn: string },
  signal: AbortSignal,
): Promise<PermissionSetPolicies | null> {
  return await nullIf(notFound, async () => ({
    managed: (await managedPolicies(sso, of, signal)).flatMap(({ Arn }) => Arn ?? []).sort(),
    customer: (await customerPolicies(sso, of, signal)).map(pathAndName).sort(),
    inline: await inlinePolicy(sso, of, signal),
    boundary: await boundary(sso, of, signal),
  }))
}

type Of = Parameters<typeof readPolicies>[1]

function managedPolicies(sso: SsoCall, of: Of, signal: AbortSignal): Promise<AttachedManagedPolicy[]> {
  const operation = 'ListManagedPoliciesInPermissionSet'
  return allPages(operation, async (token) => {
    const page = await sso(operation, signal, ({ sdk, client }, options) =>
      client.send(new sdk.ListManagedPoliciesInPermissionSetCommand({ ...of, ...token, MaxResults }), options),
    )
    return { items: page.AttachedManagedPolicies, nextToken: page.NextToken }
  })
}

function customerPolicies(sso: SsoCall, of: Of, signal: AbortSignal): Promise<CustomerManagedPolicyReference[]> {
  const operation = 'ListCustomerManagedPolicyReferencesInPermissionSet'
  return allPages(operation, async (token) => {
    const input = { ...of, ...token, MaxResults }
    const page = await sso(operation, signal, ({ sdk, client }, options) =>
      client.send(new sdk.ListCustomerManagedPolicyReferencesInPermissionSetCommand(input), options),
    )
    return { items: page.CustomerManagedPolicyReferences, nextToken: page.NextToken }
  })
}

/** AWS answers with an empty text, or none, where there is no such policy. */
async function inlinePolicy(sso: SsoCall, of: Of, signal: AbortSignal): Promise<string | null> {
  const { InlinePolicy } = await sso('GetInlinePolicyForPermissionSet', signal, ({ sdk, client }, options) =>
    client.send(new sdk.GetInlinePolicyForPermissionSetCommand(of), options),
  )
  return InlinePolicy || null
}

/** A set without one is answered with the same error as a set that is not there: the calls before have found it. */
async function boundary(sso: SsoCall, of: Of, signal: AbortSignal): Promise<string | null> {
  const found = await nullIf(notFound, () =>
    sso('GetPermissionsBoundaryForPermissionSet', signal, ({ sdk, client }, options) =>
      client.send(new sdk.GetPermissionsBoundaryForPermissionSetCommand(of), options),
    ),
  )
  return nameOfBoundary(found?.PermissionsBoundary)
}

function nameOfBoundary(found: PermissionsBoundary | undefined): string | null {
  const { ManagedPolicyArn: arn, CustomerManagedPolicyReference: own } = found ?? {}
  return arn ?? (own ? pathAndName(own) : null)
}

/** As IAM writes it: `/sallyport/Boundary`. */
function pathAndName({ Name = '', Path = '/' }: CustomerManagedPolicyReference): string {
  return `${Path}${Name}`
}
