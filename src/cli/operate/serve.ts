import { onBrokenPipe } from '../broken-pipe.ts'
import type { Register } from '../cli.ts'
import { exitCodes } from '../output.ts'

export const registerServe: Register = (program) => {
  program
    .command('serve')
    .description('run the daemon until SIGTERM; SIGHUP reloads the rules')
    .requiredOption('--config <file>', 'YAML configuration')
    .action(async (options: { config: string }) => {
      using _goOn = onBrokenPipe(() => {}) // anchors on stdout report their failed writes themselves
      const { collectByGrowth } = await import('../../daemon/external-memory.ts')
      collectByGrowth()
      const { startDaemon } = await import('../../daemon.ts')
      const daemon = await startDaemon({ configFile: options.config, env: process.env })
      if (!daemon) {
        process.exitCode = exitCodes.usage // the problems of the configuration have been printed
        return
      }
      process.on('SIGHUP', () => void daemon.reload())
      process.on('SIGTERM', () => void daemon.stop())
      process.on('SIGINT', () => void daemon.stop({ drainMs: 0 }))
      await daemon.stopped
    })
}
