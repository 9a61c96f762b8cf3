import { toEntry } from '../../catalog/entry.ts'
import { type Kind, type Kinds, kindNamed, type Surroundings } from '../../catalog/kind.ts'
import type { CatalogEntry, ResourceFile } from '../../catalog/resource.ts'
import { type ParsedId, parseResourceId, toResource } from '../../catalog/resource-id.ts'
import type { Config } from '../../config/config.ts'
import { type Findings, within } from './findings.ts'

export type ResourcesConfig = Pick<Config, 'resources'> &
  Surroundings & { readonly inventory: Pick<Config['inventory'], 'import'> }

export interface LoadedResource {
  readonly entry: CatalogEntry
  /** Only a part is written: the rest is to be found in AWS, and until it is the resource is not there. */
  readonly isPartial: boolean
}

/** The catalog's entries that are written by hand, each read by its kind; those with problems are left out. */
export function loadResources(config: ResourcesConfig, kinds: Kinds, findings: Findings): LoadedResource[] {
  checkRepeats(config.resources, findings)
  return config.resources.flatMap((file, i): LoadedResource[] => {
    const path = `resources[${i}]`
    const found = identify(file.id, `${path}.id`, config, kinds, findings)
    if (!found) return []
    const resource = toResource(file, found.id)
    const target = found.kind.target.read(resource)
    const unread = { ...resource, target: undefined, targetId: '' }
    if (!target.ok && target.isPartial && config.inventory.import !== null) return [{ entry: unread, isPartial: true }]
    const problems = target.ok ? (found.kind.check?.(target.value, config) ?? []) : target.problems
    findings.problems.push(...problems.map((problem) => within(path, problem)))
    return [{ entry: target.ok ? toEntry(resource, found.kind, target.value) : unread, isPartial: false }]
  })
}

function checkRepeats(files: readonly ResourceFile[], findings: Findings): void {
  const seen = new Map<string, number>()
  files.forEach(({ id }, i) => {
    const first = seen.get(id)
    if (first === undefined) seen.set(id, i)
    else
      findings.problems.push({
        path: `resources[${i}].id`,
        message: `"${id}" is already resources[${first}]`,
        fix: 'remove one of the two',
      })
  })
}

function identify(
  text: string,
  path: string,
  { aws }: ResourcesConfig,
  kinds: Kinds,
  findings: Findings,
): { id: ParsedId; kind: Kind } | undefined {
  const report = (message: string, fix: string) => void findings.problems.push({ path, message, fix })
  const id = parseResourceId(kinds, text)
  if ('problem' in id) return report(id.problem, 'write the full id')
  const kind = kindNamed(kinds, id.kind)
  const accounts = Object.keys(aws.accounts)
  if (kind?.level && accounts.length > 0 && id.account !== null && !accounts.includes(id.account))
    report(`account ${id.account} is not registered`, 'add it to aws.accounts')
  if (!kind) return report(`unknown kind "${id.kind}"`, `use one of ${kinds.map(({ name }) => name).join(', ')}`)
  return { id, kind }
}
