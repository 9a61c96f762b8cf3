import { resolve } from 'node:path'
import type { Register } from '../cli.ts'
import { printJson, printLine } from '../output.ts'

interface CopyOptions {
  config: string
  from: string
  json?: boolean
}

export const registerStore: Register = (program) => {
  program
    .command('store')
    .description('the store of the daemon')
    .command('copy')
    .description('copy a SQLite store into the empty PostgreSQL database of the configuration, and verify it there')
    .addHelpText(
      'after',
      '\nThe daemon must be stopped. Nothing of the SQLite store is changed, and the copy is whole or not made.',
    )
    .requiredOption(
      '--config <file>',
      'YAML configuration of the daemon, whose store.url names the PostgreSQL database',
    )
    .requiredOption('--from <file>', 'file of the SQLite store')
    .option('--json', 'print JSON')
    .action(async (options: CopyOptions) => {
      const { copyStore } = await import('../../daemon/copy-store.ts')
      const show = process.stderr.isTTY === true && !options.json
      const where = { configFile: options.config, env: process.env, from: resolve(options.from) }
      const { url, tables, report } = await copyStore(where, ({ table, rows }) => {
        if (show) process.stderr.write(`\r\u001b[K${table}: ${rows} rows`)
      })
      if (show) process.stderr.write('\r\u001b[K')
      if (options.json) {
        printJson({ tables, summary: report.summary })
        return
      }
      const rows = tables.reduce((sum, table) => sum + table.rows, 0)
      printLine(`copied ${rows} rows of ${tables.length} tables to ${url}; each was compared`)
      printLine(report.summary)
      printLine('start the daemon with this configuration, and keep the SQLite file as it is until you have a backup')
    })
}
