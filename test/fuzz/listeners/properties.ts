import { readFileSync } from 'node:fs'
import fc from '../../fast-check.ts'
import { type House, openHouse } from './house.ts'
import { type Corpus, inputs, readCorpus } from './input.ts'
import { mysqlSpeaker } from './mysql.ts'
import { postgresSpeaker } from './postgres.ts'

export const speakers = { mysql: mysqlSpeaker, postgres: postgresSpeaker } as const

export type SpeakerName = keyof typeof speakers

export interface Listeners {
  readonly house: House
  readonly corpus: Corpus
  readonly properties: Readonly<Record<string, fc.IRawProperty<unknown>>>
}

/** Both listeners of an engine. The caller closes the house. */
export async function openListeners(name: SpeakerName): Promise<Listeners> {
  const corpus = readCorpus(readFileSync(new URL(`../corpus/${name}.txt`, import.meta.url), 'utf8'))
  const house = await openHouse(speakers[name])
  const of = (side: string): Corpus =>
    Object.fromEntries(Object.entries(corpus).filter(([stage]) => stage.startsWith(`${side}-`)))
  return {
    house,
    corpus,
    properties: {
      'a hostile client is answered, refused or let go, and leaves nothing behind': fc.asyncProperty(
        inputs(of('client')),
        (input) => house.run(input),
      ),
      'a hostile target ends its session, and leaves nothing behind': fc.asyncProperty(inputs(of('target')), (input) =>
        house.run(input),
      ),
    },
  }
}
