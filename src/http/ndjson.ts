import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** Sends JSON lines as they come. @param texts each with its line break */
export function sendLines(reply: FastifyReply, texts: AsyncIterable<string>): FastifyReply {
  return reply.type('application/x-ndjson').header('cache-control', 'no-store').send(Readable.from(texts))
}
