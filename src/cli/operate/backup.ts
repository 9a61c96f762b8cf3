import type { Config } from '../../config/config.ts'
import type { Register } from '../cli.ts'
import { exitCodes, printLine } from '../output.ts'

export const registerBackup: Register = (program) => {
  program
    .command('backup <dir>')
    .description('copy the store of the running daemon, log included, into a new folder; run it where the daemon runs')
    .requiredOption('--config <file>', 'configuration of the daemon')
    .option('--with-keys', 'also copy the keys: such a backup can read and forge everything')
    .action(async (dir: string, options: { config: string; withKeys?: boolean }) => {
      const config = await configFrom(options.config)
      if (!config) return
      const [{ resolve }, { backupSocketOf }, { writeBackup }] = await Promise.all([
        import('node:path'),
        import('../../store/state-dir.ts'),
        import('../../store/backup.ts'),
      ])
      const withKeys = options.withKeys ?? false
      await using copy = await askForCopy(backupSocketOf(config.stateDir), withKeys)
      const made = writeBackup(resolve(dir), copy.path, Date.now(), withKeys ? config.keysDir : undefined)
      printLine(`wrote ${dir}: ${made.bytes} bytes, log up to event ${made.seq}, of ${made.installation}`)
      if (withKeys) process.stderr.write('the backup holds the keys: store it like them, apart from other backups\n')
      else
        printLine(
          `not in it: keys.dir (${config.keysDir}) and recordings.dir (${config.recordings.dir}); copy them apart`,
        )
    })
}

/** Undefined when it is invalid: the problems have been printed. */
async function configFrom(file: string): Promise<Config | undefined> {
  const [{ loadConfig }, { kinds }, { formatProblems }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../kinds/registry.ts'),
    import('../../config/problems.ts'),
  ])
  const loaded = await loadConfig(file, { env: process.env, kinds })
  if (loaded.ok) return loaded.config
  process.stderr.write(formatProblems(file, loaded.problems))
  process.exitCode = exitCodes.usage
  return undefined
}

/** The daemon deletes the copy at the end. */
async function askForCopy(socketPath: string, withKeys: boolean): Promise<AsyncDisposable & { readonly path: string }> {
  const { connect } = await import('node:net')
  const socket = connect(socketPath)
  const line = await new Promise<string>((resolve, reject) => {
    let text = ''
    socket.once('connect', () => socket.write(withKeys ? 'backup with keys\n' : 'backup\n'))
    socket.once('error', (cause) =>
      reject(new Error(`no daemon answers at ${socketPath}: ${cause.message}`, { cause })),
    )
    socket.once('close', () => reject(new Error('the daemon stopped during the backup')))
    socket.on('data', (chunk) => {
      text += chunk.toString()
      if (text.endsWith('\n')) resolve(text)
    })
  })
  const { copy, error } = JSON.parse(line) as { copy?: string; error?: string }
  if (copy === undefined) throw new Error(`the daemon could not copy its store: ${error}`)
  return {
    path: copy,
    [Symbol.asyncDispose]: async () => {
      socket.end()
    },
  }
}
