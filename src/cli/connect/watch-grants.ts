import { endingText, stayHint } from '../../../proxy/ending.ts'
import { localProtocolNamed } from '../../../proxy/local/protocols.ts'
import { GrantWatch } from './grant-watch.ts'
import { type ConnectDeps, warn } from './open-connections.ts'
import { listResources, type Target } from './target.ts'

/** A watch that says on stderr what is about to end, of protocols whose clients the broker cannot tell. */
export function watchGrants(deps: ConnectDeps): GrantWatch<Target> {
  return new GrantWatch<Target>({
    load: async () => listResources(await deps.openApi()),
    now: deps.now,
    warn,
    onEnding: ({ name, protocol }, ending) => {
      if (localProtocolNamed(protocol).tellsOfEnd) return
      warn(`${endingText(`access to ${name}`, ending)}; ${stayHint(ending)}`)
    },
  })
}

/** Says it while `run` runs. */
export async function whileWatched<T>(deps: ConnectDeps, target: Target, run: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const watching = watchGrants(deps)
    .run(target.endsAt === null ? [] : [target], over.signal, () => {})
    .catch((error: Error) => warn(`cannot check the grant any more: ${error.message}`))
  try {
    return await run()
  } finally {
    over.abort()
    await watching
  }
}
