import { createServer } from 'node:net'

const lowest = 20_000
const highest = 32_000 // below Linux's ephemeral range, so that no outgoing connection takes the port in between

/** A free TCP port of 127.0.0.1. Whoever asked should listen soon: nothing keeps it. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (await isFree(port)) return port
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`)
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
