import { waitUntil } from '../wait-until.ts'
import { startCommand } from './commands.ts'
import { freePort } from './ports.ts'
import { isInstalled } from './programs.ts'

/** moto, an AWS that others wrote: independent of our doubles, and of what we believe. */
export interface Moto {
  readonly url: string
  stop(): Promise<void>
}

/** For `{ skip }`: it is in no registry that CI uses, so its absence is no failure anywhere. */
export function motoMissing(): string | false {
  return isInstalled('moto_server', '--help') ? false : 'moto_server is not installed'
}

/** @param env beside our own, e.g. to move its clock */
export async function startMoto(env: NodeJS.ProcessEnv = {}): Promise<Moto> {
  const port = await freePort()
  const running = startCommand('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    ...process.env,
    ...env,
  })
  const url = `http://127.0.0.1:${port}`
  const answers = () =>
    fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    )
  await waitUntil(answers, () => `moto answers: ${running.output}`, 20_000, 50)
  return {
    url,
    stop: async () => {
      running.child.kill()
      await running.ended
    },
  }
}
