/**
 * When a role was used last, by its RoleLastUsed, and for which services, by IAM's last-accessed details (IAM API Reference, version 2010-05-08): a job
 * that is made and then asked for, by the same session. AWS keeps track of 400 days, and is some hours late. Actions and who used it are left out.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ServiceLastAccessed } from '@aws-sdk/client-iam'
import { BrokerError } from '../../../proxy/session.ts'
import { iamCaller } from './iam.ts'
import type { EstateDeps } from './place-caller.ts'

export interface ServiceUsed {
  /** As in actions: `s3`. */
  readonly service: string
  readonly name: string
  /** Epoch milliseconds; null: not in the time that AWS keeps track of. */
  readonly lastUsedAt: number | null
  readonly region: string | null
}

export interface RoleUse {
  /** By anyone; `at` as in {@link ServiceUsed}. Null: the broker may not ask, which it may of roles with its own tag alone. */
  readonly role: { readonly at: number | null; readonly region: string | null } | null
  /** The latest use first. */
  readonly services: readonly ServiceUsed[]
}

type Call = ReturnType<ReturnType<typeof iamCaller>>

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason */
export type ReadServices = (
  place: { readonly partition: string; readonly account: string },
  roleArn: string,
  signal: AbortSignal,
) => Promise<RoleUse>

const pageSize = 1000
const mostPages = 10

/** @param everyMs how often the job is asked for */
export function createServicesReader(deps: EstateDeps, everyMs = 1000): ReadServices {
  const at = iamCaller(deps)
  return async (place, roleArn, signal) => {
    const call = at(place)
    const role = await lastUseOf(call, roleArn, signal)
    const { JobId } = await call('GenerateServiceLastAccessedDetails', signal, ({ sdk, client }, options) =>
      client.send(new sdk.GenerateServiceLastAccessedDetailsCommand({ Arn: roleArn }), options),
    )
    if (!JobId) throw new BrokerError('AWS_UNAVAILABLE', 'IAM answered without a job')
    const ask = (Marker: string | undefined) =>
      call('GetServiceLastAccessedDetails', signal, ({ sdk, client }, options) => {
        const input = { JobId, MaxItems: pageSize, ...(Marker === undefined ? {} : { Marker }) }
        return client.send(new sdk.GetServiceLastAccessedDetailsCommand(input), options)
      })
    const found: ServiceLastAccessed[] = []
    for (let marker: string | undefined, pages = 0; pages < mostPages; ) {
      const page = await ask(marker)
      if (page.JobStatus === 'FAILED')
        throw new BrokerError('AWS_UNAVAILABLE', `IAM could not say which services were used: ${page.Error?.Message}`)
      if (page.JobStatus !== 'COMPLETED') {
        await wait(everyMs, undefined, { signal })
        continue
      }
      pages += 1
      found.push(...(page.ServicesLastAccessed ?? []))
      if (!page.IsTruncated) {
        const services = found.map(toUsed).sort((a, b) => (b.lastUsedAt ?? 0) - (a.lastUsedAt ?? 0))
        return { role, services }
      }
      marker = page.Marker
    }
    throw new BrokerError('AWS_UNAVAILABLE', 'GetServiceLastAccessedDetails: the pages of the list do not end')
  }
}

async function lastUseOf(call: Call, roleArn: string, signal: AbortSignal): Promise<RoleUse['role']> {
  const RoleName = roleArn.slice(roleArn.lastIndexOf('/') + 1)
  try {
    const { Role } = await call('GetRole', signal, ({ sdk, client }, options) =>
      client.send(new sdk.GetRoleCommand({ RoleName }), options),
    )
    const { LastUsedDate, Region } = Role?.RoleLastUsed ?? {}
    return { at: LastUsedDate?.getTime() ?? null, region: Region ?? null }
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'AWS_DENIED') return null
    throw error
  }
}

function toUsed(one: ServiceLastAccessed): ServiceUsed {
  const { ServiceNamespace: service = '', ServiceName: name = '', LastAuthenticated, LastAuthenticatedRegion } = one
  return { service, name, lastUsedAt: LastAuthenticated?.getTime() ?? null, region: LastAuthenticatedRegion ?? null }
}
