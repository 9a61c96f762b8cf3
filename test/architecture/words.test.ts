/**
 * Plain English: words and phrases that once stood in names, comments, messages or documents and read as metaphors or as
 * translated. Tests may quote them; the product and its documents may not.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '../..')
const code = ['src', 'proxy']
const texts = ['docs', 'config', 'deploy']
const extensions = ['.ts', '.tsx', '.md', '.yaml', '.json', '.tf', '.service']

interface Ban {
  readonly what: string
  readonly pattern: RegExp
  readonly instead: string
  /** It must find these, and not the others. */
  readonly finds: readonly string[]
  readonly spares?: readonly string[]
}

const phrases: readonly (readonly [phrase: string, instead: string])[] = [
  ['whoever', 'say who: the caller, the holder, anyone who'],
  ['somebody', 'a person, another person, someone'],
  ['nobody but', 'only'],
  ['unless told', 'default …'],
  ['of an earlier life', 'left open by a previous run'],
  ['earlier life', 'previous run'],
  ['comes into force', 'takes effect'],
  ['as it must be', 'passed'],
  ['for ever', 'never ends, never erased'],
  ['ask back', 'ask for confirmation'],
  ['asked back', 'asked for confirmation'],
  ['taken back', 'cancelled, revoked'],
  ['NOT GOOD', 'VERIFICATION FAILED'],
  ['the recording is whole', 'recording verified'],
  ['spelt right', "check the command's spelling"],
  ['to mend', 'to fix, failed'],
  ['broke the protocol', 'violated the protocol'],
  ['is of another sign-in', 'belongs to another sign-in'],
  ['did not pass the checks', 'failed validation'],
  ['it took too long', 'timed out'],
  ['would be yours', 'you would receive'],
  ['what you saw has changed', 'it has changed since you last saw it'],
  ['its name leads to', 'its host name resolves to'],
]

/** Also across the line breaks of a comment. */
const bans: readonly Ban[] = phrases.map(([phrase, instead]) => ({
  what: phrase,
  pattern: new RegExp(`\\b${phrase.replaceAll(' ', '\\s+(?:[*#]\\s+|//\\s+)?')}\\b`, 'i'),
  instead,
  finds: [phrase, `${phrase[0]?.toUpperCase()}${phrase.slice(1)}, and more`],
}))

const names: readonly Ban[] = [
  {
    what: 'House',
    pattern: /House|\bhouses?\b/,
    instead: 'Parts',
    finds: ['openHouse(t)', 'the rest of the house'],
    spares: ['warehouse'],
  },
  {
    what: 'Desk',
    pattern: /Desk|\bdesks?\b/,
    instead: 'Context, Buffers',
    finds: ['createDesk()', '(desk: X)'],
    spares: ['helpdesk'],
  },
  { what: 'knock', pattern: /knock/i, instead: 'try', finds: ['knock()', 'Knocks'] },
  {
    what: 'doom',
    pattern: /doom(?!ed_(?:at|by)\b)/i,
    instead: 'revoke',
    finds: ['doom()', 'doomedAt'],
    spares: ["'doomed_at'", 'doomed_by'],
  },
  {
    what: 'stranger',
    pattern: /stranger(?!s\.failed)/i,
    instead: 'unidentified client',
    finds: ['strangers_total'],
    spares: ["'strangers.failed'"],
  },
  {
    what: 'Memory, Turns, Once, Said, Asked, Cut',
    pattern: /\b(?:class|interface|type|new) (?:Memory|Turns|Once|Said|Asked|Cut)\b/,
    instead: 'Removals, KeyedMutex, OneTimeSecrets, ClientMessage, Truncated',
    finds: ['class Memory {', 'new Turns()', 'interface Asked {'],
    spares: ['class KeyedMutex {', '/** Once it has ended. */'],
  },
  {
    what: 'turns, memory',
    pattern: /[.#](?:turns|memory)\b|\binTurn\b/,
    instead: 'mutex, removals',
    finds: ['core.turns.run(', 'core.memory.lock('],
  },
]

interface Text {
  readonly path: string
  readonly text: string
}

function readTexts(folders: readonly string[]): Text[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => extensions.includes(extname(file)))
      .map((file) => read(join(folder, file))),
  )
}

function read(path: string): Text {
  return { path, text: readFileSync(join(root, path), 'utf8') }
}

/** `path:line: text`, for each place. */
function findAll({ path, text }: Text, pattern: RegExp): string[] {
  return [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map(({ 0: found, index }) => {
    const line = text.slice(0, index).split('\n').length
    return `${path}:${line}: ${found}`
  })
}

const documents = readdirSync(root)
  .filter((file) => extname(file) === '.md')
  .map(read)
const ofCode = readTexts(code)
const everything = [...ofCode, ...readTexts(texts), ...documents]

t.test('no phrase that reads as translated, in code, comments, messages or documents', async (t) => {
  for (const { what, pattern, instead } of bans) {
    const found = everything.flatMap((text) => findAll(text, pattern))
    t.same(found, [], `"${what}": write ${instead}`)
  }
})

t.test('no metaphor as a name', async (t) => {
  for (const { what, pattern, instead } of names) {
    const found = ofCode.flatMap((text) => findAll(text, pattern))
    t.same(found, [], `"${what}": write ${instead}`)
  }
})

t.test('what is looked for would be found', async (t) => {
  for (const { pattern, finds, spares = [] } of [...bans, ...names]) {
    for (const text of finds) t.match(text, pattern)
    for (const text of spares) t.notMatch(text, pattern)
  }
  t.ok(everything.length > 400, `${everything.length} files are read`)
})
