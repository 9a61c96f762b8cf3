import { parseArgs } from 'node:util'

/** Subcommands that may also stand behind the role, as in `sallyport aws ROLE env`. */
const roleVerbs = ['credential-process', 'env', 'exec', 'serve', 'console']

/**
 * Puts the verb of `aws ROLE VERB …` before the role, where the parser wants it.
 * @param argv without program and script
 */
export function verbFirst(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((word, i) => !word.startsWith('-') && argv[i - 1] !== '--server')
  const [role, verb] = [argv[at + 1], argv[at + 2]]
  if (argv[at] !== 'aws' || role === undefined || verb === undefined) return argv
  if (role.startsWith('-') || roleVerbs.includes(role) || !roleVerbs.includes(verb)) return argv
  return [...argv.slice(0, at + 1), verb, role, ...argv.slice(at + 3)]
}

/** What `credential-process` was asked for. */
export interface HelperAsk {
  readonly role: string
  readonly level?: string
  readonly server?: string
}

/**
 * Reads a command line that asks for nothing but `credential-process`. AWS's tools run it often and wait for it, so it goes by
 * the parser that Node has. Null: anything else, which is for the whole command line to judge.
 */
export function readHelperAsk(argv: readonly string[]): HelperAsk | null {
  if (!argv.includes('credential-process')) return null
  try {
    const options = { level: { type: 'string' }, server: { type: 'string' } } as const
    const { values, positionals } = parseArgs({ args: [...verbFirst(argv)], options, allowPositionals: true })
    const [command, verb, role, ...rest] = positionals
    if (command !== 'aws' || verb !== 'credential-process' || role === undefined || rest.length > 0) return null
    return { role, ...values }
  } catch {
    return null // the whole command line says what is wrong with it
  }
}
