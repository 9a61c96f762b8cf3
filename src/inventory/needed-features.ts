import { featuresFor, type Kinds } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'

interface Installed {
  readonly resources: readonly CatalogEntry[]
  readonly kinds: Kinds
  /** Whether rules give access to it. */
  hasLevels(entry: CatalogEntry): boolean
  /** In force now. */
  readonly settings: Pick<Config['inventory'], 'organization' | 'identityCenter' | 'import' | 'events'>
}

/** What policies must allow for the resources that are known and for what is read of AWS: names of features, sorted. */
export function neededFeatures({ resources, kinds, settings, hasLevels }: Installed): string[] {
  const read = {
    organization: settings.organization,
    'identity-center': settings.identityCenter !== undefined,
    discovery: settings.import !== null,
    events: settings.events !== undefined,
  }
  const features = Object.entries(read).flatMap(([feature, isRead]) => (isRead ? [feature] : []))
  return [...featuresFor(kinds, resources, hasLevels), ...features].sort()
}
