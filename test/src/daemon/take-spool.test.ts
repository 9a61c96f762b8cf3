import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { takeSpool } from '../../../src/daemon/take-spool.ts'

t.test('daemons with the same keys have spools of their own; what an earlier version left is taken once', (t) => {
  const dir = t.testdir({ keys: { 'audit.spool': 'left' }, a: {}, b: {} })
  const [a = '', b = ''] = ['a', 'b'].map((name) =>
    takeSpool({ keysDir: path.join(dir, 'keys'), stateDir: path.join(dir, name) }),
  )
  t.equal(readFileSync(a, 'utf8'), 'left')
  t.not(a, b)
  t.notOk(existsSync(b))
  t.end()
})

t.test('daemons that start at once: each starts, and what was left is not lost', async (t) => {
  for (let round = 0; round < 5; round++) {
    const dir = t.testdir({ [`r${round}`]: { keys: { 'audit.spool': 'left' } } })
    const keysDir = path.join(dir, `r${round}`, 'keys')
    const homes = Array.from({ length: 4 }, (_, i) => path.join(dir, `r${round}`, `home${i}`))
    for (const home of homes) mkdirSync(home)
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const module = new URL('../../../src/daemon/take-spool.ts', import.meta.url).href
    const source = `import { workerData as d } from 'node:worker_threads'
      import { takeSpool } from ${JSON.stringify(module)}
      Atomics.add(d.gate, 0, 1)
      while (Atomics.load(d.gate, 0) < d.count) {}
      takeSpool(d)`
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`)
    const count = homes.length
    await Promise.all(
      homes.map(
        (stateDir) =>
          new Promise<void>((resolve, reject) => {
            const worker = new Worker(url, { workerData: { gate, count, keysDir, stateDir } })
            worker.once('error', reject).once('exit', () => resolve())
          }),
      ),
    )
    const taken = homes.map((home) => path.join(home, 'audit.spool')).filter((file) => existsSync(file))
    t.ok(taken.length >= 1, `${taken.length}`)
    for (const file of taken) t.equal(readFileSync(file, 'utf8'), 'left')
  }
})
