import { text } from 'node:stream/consumers'
import type { Carrier, CarrierParts } from '../../../src/kinds/module.ts'

/** Says what it was sent; below `/made-up/fails`, begins to answer and then fails. */
export async function carry({ host }: CarrierParts): Promise<Carrier> {
  return {
    path: '/made-up',
    http: async (request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write(`daemon ${host.doorman.place.daemon}, ${request.method} ${request.url}: `)
      if (request.url === '/made-up/fails') throw new Error('a request that was made to fail')
      response.end(await text(request))
    },
    upgrade: async (request, socket, head) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: made-up\r\n\r\n')
      if (request.url === '/made-up/fails') throw new Error('an upgrade that was made to fail')
      socket.write(head)
      socket.pipe(socket)
    },
  }
}
