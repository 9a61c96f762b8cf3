import type { Kinds } from '../../catalog/kind.ts'
import type { Findings } from './findings.ts'
import type { Selector } from './rule.ts'

/** Is there anything that a selector can select? */
export function checkSelector(selector: Selector, path: string, kinds: Kinds, findings: Findings): void {
  const known = kinds.map(({ name }) => name)
  const { ids, accounts, kinds: named, regions, tags } = selector
  const report = (at: string, message: string, fix: string) =>
    findings.problems.push({ path: at ? `${path}.${at}` : path, message, fix })
  if (!ids && !accounts && !named && !regions && !tags)
    report('', 'selects nothing', 'name ids, accounts, kinds, regions or tags')
  for (const [member, names] of Object.entries({ ids, accounts, kinds: named, regions }))
    if (names?.length === 0) report(member, 'an empty list matches nothing', 'add some, or omit it')
  if (tags && Object.keys(tags).length === 0) report('tags', 'names no tags', 'add some, or omit it')
  named?.forEach((name, i) => {
    if (!known.includes(name)) report(`kinds[${i}]`, `unknown kind "${name}"`, `use one of ${known.join(', ')}`)
  })
  accounts?.forEach((account, i) => {
    if (!/^[0-9]{12}$/.test(account))
      report(`accounts[${i}]`, `expected 12 digits, got "${account}"`, 'write the account id, in quotes')
  })
}
