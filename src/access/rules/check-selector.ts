import type { Kinds } from '../../catalog/kind.ts'
import type { Findings } from './findings.ts'
import { type Selector, selectorMembers } from './rule.ts'

/** Is there anything that a selector can select? */
export function checkSelector(selector: Selector, path: string, kinds: Kinds, findings: Findings): void {
  const known = kinds.map(({ name }) => name)
  const { ids, accounts, kinds: named, regions, names, organizational_units: units } = selector
  const report = (at: string, message: string, fix: string) =>
    findings.problems.push({ path: at ? `${path}.${at}` : path, message, fix })
  if (selectorMembers.every((member) => !selector[member]))
    report('', 'selects nothing', `name ${selectorMembers.slice(0, -1).join(', ')} or ${selectorMembers.at(-1)}`)
  for (const [member, values] of Object.entries({
    ids,
    accounts,
    kinds: named,
    regions,
    names,
    organizational_units: units,
  }))
    if (values?.length === 0) report(member, 'an empty list matches nothing', 'add some, or omit it')
  for (const member of ['tags', 'account_tags'] as const)
    if (Object.keys(selector[member] ?? { some: '' }).length === 0)
      report(member, 'names no tags', 'add some, or omit it')
  named?.forEach((name, i) => {
    if (!known.includes(name)) report(`kinds[${i}]`, `unknown kind "${name}"`, `use one of ${known.join(', ')}`)
  })
  accounts?.forEach((account, i) => {
    if (!/^[0-9]{12}$/.test(account))
      report(`accounts[${i}]`, `expected 12 digits, got "${account}"`, 'write the account id, in quotes')
  })
  units?.forEach((unit, i) => {
    if (!/^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$/.test(unit))
      report(`organizational_units[${i}]`, `expected the id of a unit or root, got "${unit}"`, 'e.g. ou-ab12-1a2b3c4d')
  })
}

/** Without an inventory nothing is known of what these members go by. */
export function warnWithoutInventory(selector: Selector, path: string, findings: Findings): void {
  for (const member of ['organizational_units', 'account_tags'] as const)
    if (selector[member])
      findings.warnings.push({
        path: `${path}.${member}`,
        message: 'matches nothing that is not written by hand: the organization is not read',
        fix: 'set inventory.organization: true',
      })
}
