import type { Resource } from './resource.ts'

/** What of AWS is taken into the catalog. */
export interface ImportSettings {
  /** Accounts and units. */
  readonly organization: boolean
  /** What is found in accounts; null: nothing. */
  readonly import: 'all' | 'tagged' | 'manual' | null
  /** Of Identity Center; left out: nothing. */
  readonly identityCenter?: { readonly import: 'all' | 'provisioned' | 'manual' }
}

/** What a kind says of it. */
interface ImportedKind {
  imports?(settings: ImportSettings, isWritten: boolean): boolean
  /** There where it is a node of the organization. */
  readonly node?: unknown
}

/** The tag by which the owner of a resource hands it to the broker. */
export const importTag = { key: 'sallyport:managed', value: 'true' } as const

/**
 * Why something that was found is not in the catalog, in words; null: it is.
 * @param isWritten it is also written by hand, and is there in any case
 */
export function notImported(
  kind: ImportedKind,
  settings: ImportSettings,
  resource: Resource,
  isWritten: boolean,
): string | null {
  if (kind.imports) return kind.imports(settings, isWritten) ? null : 'the configuration does not take it in any more'
  if (kind.node) return settings.organization ? null : 'the organization is not read any more'
  if (settings.import === null) return 'accounts are not read any more'
  if (isWritten || settings.import === 'all') return null
  if (settings.import === 'manual') return 'only what is written by hand is in the catalog (inventory.import: manual)'
  const { key, value } = importTag
  const found = Object.hasOwn(resource.tags, key) ? resource.tags[key] : undefined
  return found === value ? null : `it does not have the tag ${key}=${value} (inventory.import: tagged)`
}
