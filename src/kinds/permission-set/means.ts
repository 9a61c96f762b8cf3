import { formatDuration } from '../../../proxy/duration.ts'
import type { MeaningLine } from '../../catalog/kind.ts'
import type { PermissionSetTarget } from './target.ts'

type Target = Pick<PermissionSetTarget, 'account' | 'name' | 'policies' | 'hasInlinePolicy' | 'boundary' | 'sessionMs'>

/** What an assignment gives. What is not discovered is left out. */
export function permissionSetMeans(_level: unknown, target: Target): MeaningLine[] {
  const { account, name, policies, hasInlinePolicy, boundary, sessionMs } = target
  return [
    { label: 'permission set', value: name },
    { label: 'account', value: account },
    ...(policies ?? []).map((value) => ({ label: 'policy', value })),
    ...(hasInlinePolicy === true ? [{ label: 'policy', value: 'one of its own, inline' }] : []),
    ...(boundary ? [{ label: 'bounded by', value: boundary }] : []),
    ...(sessionMs === null ? [] : [{ label: 'one session', value: formatDuration(sessionMs) }]),
  ]
}
