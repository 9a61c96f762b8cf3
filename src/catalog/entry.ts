import type { Kind } from './kind.ts'
import type { CatalogEntry, Resource } from './resource.ts'

/** A resource as the catalog has it. @param target as its kind read it */
export function toEntry(resource: Resource, kind: Kind, target: unknown): CatalogEntry {
  const ungrantable = kind.ungrantable?.(target) ?? null
  return { ...resource, target, targetId: kind.targetId(target), ...(ungrantable === null ? {} : { ungrantable }) }
}
