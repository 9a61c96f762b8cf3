import type { ListenOptions, Server } from 'node:net'

/**
 * Resolves once the server listens.
 * @param onError accepting failed later on, e.g. EMFILE. The port stays open; without a listener the process would end
 * @throws NodeJS.ErrnoException EADDRINUSE, EACCES …
 */
export function listen(
  server: Server,
  options: ListenOptions & { readonly fd?: number },
  onError: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      server.off('error', reject)
      server.on('error', onError)
      resolve()
    })
  })
}
