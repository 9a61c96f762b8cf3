import t from 'tap'
import fc from '../fast-check.ts'
import { kubernetesProperties, loadKubernetesCodec } from './kubernetes-properties.ts'

t.setTimeout(240_000)
const properties = kubernetesProperties(await loadKubernetesCodec(import.meta.resolve('../../proxy/wire/kubernetes/')))

for (const [name, property] of Object.entries(properties))
  t.test(name, (t) => {
    fc.assert(property as fc.IRawProperty<unknown>, { numRuns: 200 })
    t.pass('fast-check throws otherwise')
    t.end()
  })
