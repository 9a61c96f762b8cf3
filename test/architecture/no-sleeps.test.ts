/** Tests wait by `test/wait-until.ts` alone: with a deadline that names what did not happen, or with a reason for a pause. */
import t from 'tap'
import { readSourceTexts } from './source-texts.ts'

const home = 'test/wait-until.ts'
const ownTest = 'test/architecture/no-sleeps.test.ts'

interface Rule {
  readonly what: string
  readonly pattern: RegExp
  readonly besides?: Readonly<Record<string, string>>
  /** What it must find. */
  readonly finds: readonly string[]
}

const rules: readonly Rule[] = [
  {
    what: 'no timer of its own',
    pattern: /(?<!\bt\.)\bsetTimeout\b/,
    besides: {
      'test/e2e/canary.test.ts': 'in the text of programs that it starts',
      'test/proxy/relay/cloned-doorman.ts': 'the time that a message takes to cross',
      'test/run.ts': 'reads the limits that files set',
      'test/sandbox/aws/sqs.ts': 'how long a receive waits for a message',
      'test/sandbox/mysql/stand-in.ts': 'the statement sleep(N), which KILL interrupts',
    },
    finds: [
      'await new Promise((resolve) => setTimeout(resolve, 20))',
      "import { setTimeout as delay } from 'node:timers/promises'",
    ],
  },
  {
    what: 'no loop of its own until a deadline',
    pattern: /\bdeadline = |(?:while|for) \([^)]*\bDate\.now\(\)/,
    besides: {
      'test/fuzz/gateway.test.ts': 'a budget of work, not a wait',
      'test/fuzz/kubernetes-taps.test.ts': 'a budget of work, not a wait',
      'test/fuzz/planted-faults.test.ts': 'a budget of work, not a wait',
      'test/fuzz/run-property.ts': 'a budget of work, not a wait',
    },
    finds: [
      'for (const deadline = Date.now() + 5000; !claim(); await delay(5))',
      'while (Date.now() < end) await look()',
    ],
  },
  {
    what: 'no thread that sleeps',
    pattern: /Atomics\.wait\b|\(['"]sleep['"]/,
    finds: ['Atomics.wait(cell, 0, 0, 100)', "execFileSync('sleep', ['1'])"],
  },
]

const sources = readSourceTexts('test').filter(({ path }) => path !== home && path !== ownTest)

for (const { what, pattern, besides = {}, finds } of rules) {
  t.test(what, async (t) => {
    const found = sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path)
    t.same(
      found.filter((path) => !(path in besides)),
      [],
      `use waitUntil, waitFor or quietFor of ${home}`,
    )
    for (const text of finds) t.match(text, pattern)
  })
}
