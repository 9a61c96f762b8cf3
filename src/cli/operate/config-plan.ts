import { printable } from '../../../proxy/printable.ts'
import type { ConfigPlan } from '../../contract/policy.ts'
import { printLine, printTable, shownName, when } from '../output.ts'

const mostNamed = 10

/** For people: what changes, and then what ends by it. */
export function printPlan(plan: ConfigPlan): void {
  if (!plan.ok) {
    printLine('a reload would be refused, and everything stay as it is:')
    for (const { path, message, fix } of plan.problems)
      printLine(`  ${path}: ${message}${fix === undefined ? '' : `; ${fix}`}`)
    return
  }
  const { afterRestart, grants, requests, leaving, sessions } = plan
  printLine(plan.isSame ? 'the file says what is in force' : 'a reload would change:')
  for (const line of changes(plan)) printLine(`  ${line}`)
  if (afterRestart.length > 0) printLine(`not before a restart: ${afterRestart.join(', ')}`)
  printLine(`${named('resource', leaving.total, leaving.first)} would leave the catalog`)
  printLine(`${count('session', sessions)} would end`)
  printLine(`${count('grant', grants.total)} would end or be shortened`)
  if (grants.total > 0)
    printTable(
      ['GRANT', 'PRINCIPAL', 'RESOURCE', 'LEVEL', 'SESSIONS', 'UNTIL', 'WHY'],
      grants.first.map(({ id, principal, resourceId, level, sessions: open, endsAt, text }) => [
        ...[id, shownName(principal), resourceId, level, String(open)],
        ...[endsAt === null ? 'ends' : when(endsAt), text],
      ]),
      '',
    )
  printLine(`${count('pending request', requests.total)} would be decided anew`)
  if (requests.total > 0)
    printTable(
      ['REQUEST', 'PRINCIPAL', 'RESOURCE', 'LEVEL', 'BECOMES', 'WHY'],
      requests.first.map(({ id, beneficiary, resourceId, level, becomes, text }) => [
        ...[id, shownName(beneficiary), resourceId, level],
        ...[becomes === 'voided' ? 'without approvals' : becomes, text],
      ]),
      '',
    )
}

function changes({ settings, rules, resources, levelsChanged }: ConfigPlan): string[] {
  return [
    ...settings.map(({ path, from, to }) => `${path}: ${from} -> ${to}`),
    ...namesOf('rules', rules),
    ...namesOf('resources', resources),
    ...(levelsChanged ? ['levels'] : []),
  ]
}

function namesOf(what: string, names: ConfigPlan['rules']): string[] {
  return (['added', 'removed', 'changed'] as const).flatMap((how) =>
    names[how].length > 0 ? [`${what} ${how}: ${listed(names[how], names[how].length)}`] : [],
  )
}

function named(what: string, total: number, first: readonly string[]): string {
  return `${count(what, total)}${total > 0 ? ` (${listed(first, total)})` : ''}`
}

function listed(names: readonly string[], total: number): string {
  const more = total > mostNamed ? ` and ${total - mostNamed} more` : ''
  return names.slice(0, mostNamed).map(printable).join(', ') + more
}

function count(what: string, many: number): string {
  return `${many === 0 ? 'no' : many} ${what}${many === 1 ? '' : 's'}`
}
