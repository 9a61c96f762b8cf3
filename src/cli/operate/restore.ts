import type { Command } from 'commander'
import type { RestoredBackup, RestoreReport } from '../../daemon/restore.ts'
import type { Register } from '../cli.ts'
import { exitCodes, printLine, when } from '../output.ts'

interface RestoreOptions {
  config: string
  confirm?: string
  log?: string
  overwrite?: boolean
}

export const registerRestore: Register = (program) => {
  program
    .command('restore [from]')
    .description(
      'put a backup back, then accept a store that is not the one this machine left; the daemon must be stopped',
    )
    .addHelpText('after', '\nFROM is a folder that `backup` made, or the file of a store.')
    .requiredOption('--config <file>', 'YAML configuration of the daemon')
    .option('--confirm <code>', 'end every grant, login and token, and go on with this store; without it, only look')
    .option('--log <file>', 'a newer copy of the log, made by `audit export`: names what the store has lost')
    .option('--overwrite', 'replace a store that is there; it is kept beside the new one')
    .action(async (from: string | undefined, options: RestoreOptions, command: Command) => {
      const { confirm, log } = options
      if (from !== undefined && confirm !== undefined)
        command.error('error: put the backup back first, without --confirm; it says which code to confirm')
      if (from === undefined && options.overwrite) command.error('error: --overwrite needs a backup to put back')
      const { putBackupBack, restore } = await import('../../daemon/restore.ts')
      if (from !== undefined) {
        const isOverwriting = options.overwrite ?? false
        printPutBack(await putBackupBack({ configFile: options.config, env: process.env, from, isOverwriting }))
      }
      const report = await restore({
        configFile: options.config,
        env: process.env,
        ...(confirm === undefined ? {} : { confirm }),
        ...(log === undefined ? {} : { log }),
      })
      print(report, options)
      if (from === undefined && report.why !== null && report.voidUntil === null) process.exitCode = exitCodes.failed
    })
}

function printPutBack(done: RestoredBackup): void {
  const { storeFile, installation, seq, madeAt, keptAs } = done
  printLine(
    `restored ${storeFile}: ${installation}, log up to event ${seq}${madeAt === null ? '' : `, of ${when(madeAt)}`}`,
  )
  if (keptAs !== null) printLine(`kept what was there: ${keptAs}`)
  printLine('copy back recordings.dir apart, but not state.dir: it tells how far the log had come')
}

function print({ why, isShared, code, outside, outliving, voidUntil }: RestoreReport, options: RestoreOptions): void {
  if (why === null) {
    printLine('the store is the one that this machine left: nothing to confirm')
    return
  }
  printLine(`the daemon does not open: ${why}`)
  if (outside) {
    printLine(`the copy of the log knows ${outside.lost} events that the store has lost`)
    for (const one of outside.credentials)
      printLine(`lost: keys ${one.accessKey} of ${one.role}, session ${one.session}, until ${time(one.worksUntil)}`)
    for (const id of outside.locked) printLine(`locked according to the copy, and locked again: ${id}`)
  } else printLine('without --log, locks and credentials that were given after the backup are unknown: check them')
  for (const { role, session, worksUntil } of outliving)
    printLine(`cannot be revoked: credentials of ${role}, session ${session}, work until ${time(worksUntil)}`)
  if (voidUntil === null) {
    printLine('to go on with this store, which ends every grant, login and token:')
    printLine(`  sallyport restore --config ${options.config} --confirm ${code}`)
  } else {
    printLine(`confirmed: every grant, request, login and token up to ${time(voidUntil)} is void`)
    if (isShared) printLine('other daemons on this store: confirm for each of them before any starts')
    printLine(
      'start the daemon; it denies revocable roles whatever was issued before, and `audit verify` tells the fork',
    )
  }
}

function time(at: number): string {
  return new Date(at).toISOString()
}
