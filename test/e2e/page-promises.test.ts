/** What the page promises, on the daemon itself: rules that change under a decision, a flood, evidence, and an incident. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { BrowserContext, Page } from 'playwright-core'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { collectComplaints, noChromium, showsOn, startChromium } from '../sandbox/chromium.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { shellInstance } from '../sandbox/default-world.ts'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

t.setTimeout(300_000)

t.test('what the page promises, on the daemon', { skip: noChromium || noPty }, async (t) => {
  const closing = <T extends { close(): Promise<unknown> }>(started: T): T => {
    t.teardown(() => started.close())
    return started
  }
  const [company, browser] = await Promise.all([
    startCompany({ sandbox: { shells: true } }).then(closing),
    startChromium().then(closing),
  ])
  const { url, configFile, databaseFile, recordingsDir } = company.daemon
  const complaints: string[][] = []
  /** Signed in already, in a browser of their own. */
  const browserOf = async (name: AccountName): Promise<BrowserContext> => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    context.setDefaultTimeout(20_000)
    const [, cookie = '', value = ''] = /(?:^|; )(sallyport)=([^;]+)/.exec(company.cookie(name)) ?? []
    await context.addCookies([{ name: cookie, value, url }])
    complaints.push(collectComplaints(context, url))
    return context
  }
  const open = async (context: BrowserContext, path: string): Promise<Page> => {
    const page = await context.newPage()
    page.on('dialog', (dialog) => void dialog.accept()) // leaving while a shell is open
    await page.goto(`${url}${path}`)
    return page
  }
  const [alice, bob, carol, dave] = await Promise.all((['alice', 'bob', 'carol', 'dave'] as const).map(browserOf))
  if (!alice || !bob || !carol || !dave) throw new Error('four browsers')

  await t.test('rules change while one looks: the old digest is not taken, old and new are shown', async (t) => {
    const { request } = await company.api<{ request: { id: string; digest: string } }>(
      'alice',
      'POST',
      '/api/v1/requests',
      {
        ...{ resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: 'why is order 17 late' },
      },
    )
    const his = await open(bob, `/requests/${request.id}`)
    await his.getByRole('button', { name: /^Approve/ }).waitFor()
    const hers = await open(alice, `/requests/${request.id}`)
    await hers.getByText('You cannot decide it').waitFor()
    t.equal(await hers.getByRole('button', { name: /^Approve/ }).count(), 0, 'no one decides what is their own')

    const config = parse(readFileSync(configFile, 'utf8'))
    const before = stringify(config)
    config.access[0].max_duration = '4h'
    config.access[0].approval.stages.push({ any_of: ['manager'], count: 1 })
    writeFileSync(configFile, stringify(config))
    company.daemon.signal('SIGHUP')
    await his.getByText('It has changed since you read it.').waitFor()
    t.match(await his.locator('del').allTextContents(), [/group database-owners$/], 'as it was')
    t.match(await his.locator('ins').allTextContents(), [/their manager/], 'and as it is')
    t.equal(await his.getByRole('button', { name: /^Approve/ }).count(), 0)
    const stale = await company.call('bob', 'POST', `/api/v1/requests/${request.id}/approve`, {
      digest: request.digest,
    })
    t.match(await stale.json(), { code: 'STALE' })
    await his.getByRole('button', { name: 'Read again' }).click()
    await his.getByRole('button', { name: /^Approve/ }).click()
    await his.getByText('You approved it. It waits for the next stage.').waitFor()
    await company.api('alice', 'POST', `/api/v1/requests/${request.id}/cancel`, {})
    writeFileSync(configFile, before)
    company.daemon.signal('SIGHUP')
    const rules = async () => await company.api<{ rules: { stages: unknown[] }[] }>('carol', 'GET', '/api/v1/rules')
    await waitUntil(async () => (await rules()).rules[0]?.stages.length === 1, 'the rules are as they were')
    await Promise.all([his.close(), hers.close()])
  })

  const shell = await company.grant(3_600_000, shellInstance)
  const terminal = await open(alice, `/terminal/${shell.id}`)
  await t.test('Ctrl+C ends a flood of 10 MB', async (t) => {
    await showsOn(terminal, /\$/)
    const type = async (line: string) => {
      await terminal.keyboard.press('Shift')
      await terminal.keyboard.insertText(line)
      await terminal.keyboard.press('Enter')
    }
    await type("yes 0123456789012345678901234567890123456789 | head -c 100000000 | cat; echo 'all of it'")
    await showsOn(terminal, /^0123456789{1}/m)
    const pressedAt = performance.now()
    await terminal.keyboard.press('Control+C')
    await showsOn(terminal, /\^C/)
    await type('echo over$((6*7))')
    await showsOn(terminal, /^over42$/m)
    t.comment(`typed again after ${Math.round(performance.now() - pressedAt)} ms`)
    t.notMatch(await terminal.locator('.xterm-rows').textContent(), /all of it/)
  })

  let session = ''
  await t.test(
    'an auditor finds a statement by its value; the link opens it elsewhere; the proof is that of a check',
    async (t) => {
      await company.grant()
      const { client, sessionId } = await openDatabase(company)
      session = sessionId
      await client.query('select id, status from orders where id = $1', [17])
      await client.query('select count(*) from orders')
      await client.end()
      const page = await open(carol, `/sessions/${session}`)
      await page.getByRole('link', { name: 'Read the recording' }).click()
      await page.getByText('where id = $1').waitFor()
      await page.getByPlaceholder('text or value').fill('17')
      await page.getByText('select count(*)').waitFor({ state: 'detached' })
      t.equal(new URL(page.url()).search, '', 'what one looks for may be a secret')
      await page.goto(`${url}/recordings`)
      await page.getByLabel('Text').fill('17')
      await page.getByRole('button', { name: 'Search' }).click()
      await page.locator('.hits a').first().click()
      await page.locator('.row.here').waitFor()
      const elsewhere = await browserOf('carol')
      const copied = await open(elsewhere, page.url().slice(url.length))
      t.match(await copied.locator('.row.here').textContent(), /where id = \$1/)
      await elsewhere.close()

      const { anchored } = await company.api<{ anchored: { seq: number } | null }>(
        'carol',
        'GET',
        '/api/v1/audit/verify',
      )
      await page.goto(`${url}/audit`)
      await page.getByText(new RegExp(anchored ? `proven up to ${anchored.seq} ` : 'no copy outside')).waitFor()
      await page.close()
    },
  )

  await t.test('an admin reads no recording, checks an account, and locks a person: her tabs know', async (t) => {
    const page = await open(dave, `/sessions/${session}`)
    await page.getByText('Recording').waitFor()
    t.equal(await page.getByRole('link', { name: 'Read the recording' }).count(), 0)
    await page.goto(`${url}/recordings/${session}`)
    await page.getByRole('alert').waitFor()
    t.equal(await page.getByText('where id = $1').count(), 0)

    await page.goto(`${url}/setup`)
    await page
      .getByRole('button', { name: /^account\// })
      .first()
      .click()
    await page.getByRole('button', { name: 'Check again' }).click()
    await page.locator('.checks li').first().waitFor()

    const home = await open(alice, '/')
    await home.getByRole('heading', { name: 'Home' }).waitFor()
    await page.goto(`${url}/people`)
    await page.locator('.row', { hasText: 'alice@example.com' }).getByRole('button', { name: 'Lock' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel(/Reason/).fill('laptop lost')
    t.ok(await dialog.getByRole('button', { name: 'Lock' }).isDisabled(), 'not before the name is typed')
    await dialog.getByLabel(/Type/).fill('alice@example.com')
    const lockedAt = performance.now()
    await dialog.getByRole('button', { name: 'Lock' }).click()
    await home.getByText('Your sign-in has ended.').first().waitFor()
    await terminal.getByRole('alert').waitFor()
    t.comment(`her tabs knew after ${Math.round(performance.now() - lockedAt)} ms`)
    t.equal(await terminal.locator('.state').textContent(), 'Ended')
  })

  await t.test('a recording that someone has written to is told, and so is the log of a check', async (t) => {
    const [file = ''] = globSync(`${recordingsDir}/**/${session}*`)
    const bytes = readFileSync(file)
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
    writeFileSync(file, bytes)
    const page = await open(carol, `/recordings/${session}`)
    await page.getByText('VERIFICATION FAILED').waitFor()
    await company.api('carol', 'GET', '/api/v1/audit/verify')
    await page.goto(`${url}/audit`)
    await page.getByText('VERIFICATION FAILED').waitFor()
    t.pass()
  })

  await t.test('no page broke its policy or complained', async (t) => {
    const refusals = /the server responded with a status of (401|403|404|409)|4401|websocket/i
    await waitUntil(
      () => complaints.every((one) => one.every((text) => refusals.test(text))),
      () => complaints.flat().join('\n'),
    )
    t.pass()
  })

  const skip = company.sandbox.stores !== null && 'this is of a SQLite store'
  await t.test('a log that someone has written to closes the broker, and a browser is told', { skip }, async (t) => {
    await company.daemon.stop()
    const store = new DatabaseSync(databaseFile)
    store.exec("update audit_events set type = 'grant.expired' where seq = 3")
    store.close()
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon, closed: true })
    const page = await open(carol, '/audit')
    t.match(await page.locator('body').textContent(), /does not trust its store/)
  })
})
