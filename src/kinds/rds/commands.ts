import type { CommandHint, CommandsBy } from '../../catalog/kind.ts'

/** @param client the command that runs the client of this engine */
export const databaseCommands =
  (client: 'psql' | 'mysql') =>
  (_level: unknown, _target: unknown, { name, options }: CommandsBy): CommandHint[] => [
    { title: client, words: ['sallyport', client, name, ...options] },
    { title: 'any client, by a local port', words: ['sallyport', 'connect', name, ...options] },
  ]
