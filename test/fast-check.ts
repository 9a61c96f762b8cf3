/** fast-check, of which `SALLYPORT_SEED` repeats the choices; without it, each run makes others. */
import fc from 'fast-check'

const seed = process.env.SALLYPORT_SEED
if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) })

export default fc
