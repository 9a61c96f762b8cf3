/** The same company, where each text that someone else can write tries to do harm. */
import type { Scene } from './stage.ts'

/** Mark-up, characters that turn the text around, control characters, and no place to break a line. */
export const attack =
  '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202emoc.elpmaxe@bob\u202c\u2066\u200b\u0007\u001b[2J{{7*7}}javascript:alert(1)'
const unbroken = 'W'.repeat(300)
const endless = `${attack}${'very long '.repeat(1000)}${unbroken}`

/** Names of members that hold what people, tags, programs or AWS say. */
const hostileMembers: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      'name',
      'principal',
      'subject',
      'issuer',
      'manager',
      'tool',
      'address',
      'level',
      'ticket',
      'title',
      'loginName',
      'userName',
      'clientId',
      'rule',
    ].map((name) => [name, `${attack}${unbroken}`]),
  ),
  ...Object.fromEntries(
    [
      ...[
        'reason',
        'statusReason',
        'comment',
        'endText',
        'whyNot',
        'error',
        'fix',
        'detail',
        'why',
        'selects',
        'value',
        'label',
      ],
      ...['message', 'problem', 'summary', 'command', 'login', 'host', 'database'],
    ].map((name) => [name, endless]),
  ),
  sql: `select '${attack}' -- ${unbroken}\n${'\u202e-- '.repeat(100)}`,
}

/** Lists and maps of such texts. */
const hostileLists = ['groups', 'limits', 'anyOf', 'levels', 'values', 'acr', 'emails']
const hostileMaps = ['tags', 'detail', 'shown', 'sessionTags', 'text']

export function hostile(scene: Scene): Scene {
  return Object.fromEntries(
    Object.entries(scene).map(([key, given]) => [
      key,
      typeof given === 'function' ? (call: never) => spoil((given as (call: never) => unknown)(call)) : spoil(given),
    ]),
  ) as Scene
}

function spoil(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return spoilText(value, name)
  if (Array.isArray(value))
    return value.map((one, i) =>
      typeof one === 'string' && hostileLists.includes(name) ? `${i}${attack}` : spoil(one),
    )
  if (typeof value !== 'object' || value === null) return value
  if (hostileMaps.includes(name)) return { env: attack, Name: `${attack}${unbroken}`, [attack]: `${attack}${unbroken}` }
  return Object.fromEntries(Object.entries(value).map(([member, one]) => [member, spoil(one, member)]))
}

function spoilText(text: string, name: string): string {
  // What a resource is called ends its id.
  if (name === 'resourceId' || (name === 'id' && text.includes('/'))) return `${text}${unbroken}`.slice(0, 256)
  return hostileMembers[name] ?? text
}
