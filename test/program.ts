import path from 'node:path'

/** What tests start as daemon and command: the sources, or for a run of the whole suite what `bundle.ts` made of them. */
export const program = process.env.SALLYPORT_PROGRAM ?? path.resolve(import.meta.dirname, '../src/main.ts')
