import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Carrier, CarrierParts } from '../../../src/kinds/module.ts'

/** Says what it was sent; below `/made-up/fails`, begins to answer and then fails; below `/made-up/throws`, fails at once. */
export async function carry({ host }: CarrierParts): Promise<Carrier> {
  return {
    path: '/made-up',
    http: (request, response) => {
      if (request.url === '/made-up/throws') throw new Error('a request that threw at once')
      return answer()

      async function answer(): Promise<void> {
        response.writeHead(200, { 'content-type': 'text/plain' })
        response.write(`daemon ${host.doorman.place.daemon}, ${request.method} ${request.url}: `)
        if (request.url === '/made-up/fails') throw new Error('a request that was made to fail')
        response.end(await text(request))
      }
    },
    upgrade: (request, socket, head) => {
      if (request.url === '/made-up/throws') throw new Error('an upgrade that threw at once')
      return echo(request, socket, head)
    },
  }
}

/** Leaves errors of the socket to who hands it over. */
async function echo({ url }: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: made-up\r\n\r\n')
  if (url === '/made-up/fails') throw new Error('an upgrade that was made to fail')
  socket.write(head)
  socket.pipe(socket)
}
