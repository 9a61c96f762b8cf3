import type { GroupView, LinkView, PushView, UnrecordedView } from '../../contract/identity-center/pushes.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { type ListOptions, listOptions, printList } from '../lists.ts'
import { printJson, printLine, printTable, when } from '../output.ts'

export const registerIdentityCenter: Register = (program) => {
  const center = program
    .command('identity-center')
    .description('what IAM Identity Center holds for grants, and who is who there')
  const client = async () => {
    const { openApiClient } = await import('../login/login-store.ts')
    return openApiClient(program.opts())
  }
  listOptions(
    center.command('ls').description('list what it holds for grants, and what the broker found there and leaves alone'),
    {},
  ).action(async (options: ListOptions) => {
    printList(await readList(await client(), 'GET /api/v1/pushes', {}, options), options, print)
  })
  listOptions(center.command('links').description('list which users people are'), {}).action(
    async (options: ListOptions) => {
      printList(await readList(await client(), 'GET /api/v1/identity-center/links', {}, options), options, printLinks)
    },
  )
  listOptions(
    center
      .command('unrecorded')
      .description(
        'list who has permission sets and groups directly, without the broker knowing of it; reads each from AWS (admin)',
      ),
    { resource: 'only of this resource' },
  ).action(async (options: ListOptions) => {
    const { resource } = options
    const found = await readList(await client(), 'GET /api/v1/pushes/unrecorded', { resource }, options)
    printList(found, options, printUnrecorded)
  })
  center
    .command('held-back')
    .description('show the removals that are held back because they are too many at once (admin)')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      // In one answer, so that the digest is that of the list.
      const held = await (await client()).call('GET /api/v1/pushes/held-back', { query: { limit: 1000 } })
      if (options.json) return printJson(held)
      print(held.items)
      if (held.digest === null) return
      printLine(`${held.total} removals are held back; up to ${held.most} at once would go by themselves`)
      printLine(`  let all of them go: sallyport identity-center release ${held.digest}`)
    })
  center
    .command('release <digest>')
    .description('let the removals go that are held back, if the list is still the one that `held-back` shows (admin)')
    .option('--json', 'print JSON')
    .action(async (digest: string, options: { json?: boolean }) => {
      const done = await (await client()).call('POST /api/v1/pushes/release', { body: { digest } })
      if (options.json) return printJson(done)
      printLine(`${done.count} removals go now; see: sallyport identity-center ls`)
    })
  listOptions(
    center.command('groups').description('list the groups that rules name as `idc:NAME`, and who is in them (admin)'),
    {},
  ).action(async (options: ListOptions) => {
    printList(await readList(await client(), 'GET /api/v1/identity-center/groups', {}, options), options, printGroups)
  })
  center
    .command('pin <group> <id>')
    .description('say which group a name of the rules stands for, by its id (admin)')
    .option('--json', 'print JSON')
    .action(async (group: string, groupId: string, options: { json?: boolean }) => {
      const done = await (await client()).call('POST /api/v1/identity-center/pin', { body: { group, groupId } })
      if (options.json) return printJson(done)
      printLine(`${done.name} stands for the group ${done.id}`)
    })
  center
    .command('link <person> <user>')
    .description('say which user a person is, by its id (admin)')
    .option('--json', 'print JSON')
    .action(async (person: string, userId: string, options: { json?: boolean }) => {
      const done = await (await client()).call('POST /api/v1/identity-center/link', { body: { person, userId } })
      if (options.json) return printJson(done)
      printLine(`${person} is ${done.link.userName ?? userId} in Identity Center`)
    })
  center
    .command('unlink <person>')
    .description('the person is no user any more: what is held for them is removed (admin)')
    .option('--json', 'print JSON')
    .action(async (person: string, options: { json?: boolean }) => {
      const done = await (await client()).call('POST /api/v1/identity-center/unlink', { body: { person } })
      if (options.json) return printJson(done)
      printLine(`${person} was ${done.link.userName ?? done.link.userId}, and is no user of Identity Center any more`)
    })
  program
    .command('adopt [push]')
    .description(
      'take over what Identity Center holds, so that it goes with the last grant that wants it (admin): one that `identity-center ls` shows, or what a person or user has of a resource',
    )
    .option('--resource <resource>', 'permission set or group')
    .option('--who <person>', 'id, e-mail or name')
    .option('--user <id>', 'of the identity store, for who is not known here')
    .option('--json', 'print JSON')
    .action(async (push: string | undefined, options: AdoptOptions) => {
      const body = { push, resource: options.resource, person: options.who, userId: options.user }
      const done = await (await client()).call('POST /api/v1/pushes/adopt', { body })
      if (options.json) return printJson(done)
      const { id, grants } = done.push
      printLine(
        grants.length > 0
          ? `${id} is the broker's now, and goes with the last of: ${grants.join(', ')}`
          : `${id} is the broker's now; no grant wants it, so it is being removed`,
      )
    })
}

function printGroups(groups: readonly GroupView[]): void {
  printTable(
    ['GROUP', 'ID', 'USERS', 'PEOPLE', 'NOTE'],
    groups.map((g) => [g.name, g.id ?? '-', String(g.users), g.principals.join(', ') || '-', g.problem ?? '-']),
    'no rule names a group of Identity Center',
  )
}

interface AdoptOptions {
  readonly resource?: string
  readonly who?: string
  readonly user?: string
  readonly json?: boolean
}

function printUnrecorded(found: readonly UnrecordedView[]): void {
  printTable(
    ['RESOURCE', 'USER', 'NAME', 'WHO', 'GRANTS'],
    found.map((one) => [
      one.resource,
      one.userId,
      one.userName ?? 'no such user',
      one.principals.join(', ') || '-',
      one.grants.join(', ') || '-',
    ]),
    'nothing',
  )
  if (found.length > 0)
    printLine(
      'what the broker should take over, and remove when no grant wants it: sallyport adopt --resource RESOURCE --user USER',
    )
}

function print(pushes: readonly PushView[]): void {
  printTable(
    ['PUSH', 'KIND', 'ACCOUNT', 'OF', 'USER', 'STATE', 'WHOSE', 'GRANTS', 'NOTE'],
    pushes.map((p) => [
      p.id,
      p.kind,
      p.account ?? '-',
      p.of.slice(p.of.lastIndexOf('/') + 1),
      p.userName ?? p.userId,
      p.state,
      p.ownership ?? '-',
      p.grants.join(', ') || '-',
      [...(p.overdueSince === null ? [] : [`overdue since ${when(p.overdueSince)}`]), p.reason ?? '']
        .join(' ')
        .trim() || '-',
    ]),
    'nothing',
  )
}

function printLinks(links: readonly LinkView[]): void {
  printTable(
    ['PRINCIPAL', 'USER', 'NAME', 'FOUND BY', 'SINCE'],
    links.map((l) => [l.principalId, l.userId, l.userName ?? '-', l.foundBy, when(l.linkedAt)]),
    'no links',
  )
}
