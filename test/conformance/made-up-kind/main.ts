/** `serve --config FILE`, with the registry of this folder. */
import { startDaemon } from '../../../src/daemon.ts'
import { kinds } from './registry.ts'

const configFile = process.argv.at(-1) ?? ''
const daemon = await startDaemon({ configFile, env: process.env, kinds })
if (daemon) {
  process.on('SIGHUP', () => void daemon.reload())
  process.on('SIGTERM', () => void daemon.stop())
  await daemon.stopped
} else process.exitCode = 2
