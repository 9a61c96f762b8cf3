/** The browser terminal in Chromium: through the sign-in to a real `sh`, cut by a revocation, under the page's own policy all the time. */
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { findBarriers, noAxe } from '../sandbox/accessibility.ts'
import { collectComplaints, noChromium, screenOf, showsOn, signInOn, startChromium } from '../sandbox/chromium.ts'
import { shellInstance } from '../sandbox/default-world.ts'
import { compareShot } from '../sandbox/shots.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

const skip = noChromium || noPty
const wide = { width: 1280, height: 800 }
const narrow = { width: 390, height: 844 }

t.test('a shell in the browser', { skip }, async (t) => {
  // Each is closed as well when the other one does not start.
  const closing = <T extends { close(): Promise<unknown> }>(started: T): T => {
    t.teardown(() => started.close())
    return started
  }
  const [company, browser] = await Promise.all([
    startCompany({ sandbox: { shells: true } }).then(closing),
    startChromium().then(closing),
  ])
  const { url } = company.daemon
  const { ssm } = company.sandbox.aws
  const context = await browser.newContext({ viewport: wide, colorScheme: 'light' })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url })
  const complaints = collectComplaints(context, url)
  const open = async (grant: string): Promise<Page> => {
    const page = await context.newPage()
    page.on('dialog', (dialog) => void dialog.accept()) // leaving while a shell is open
    await page.goto(`${url}/terminal/${grant}`)
    return page
  }
  const run = async (page: Page, line: string) => {
    await page.keyboard.press('Shift') // xterm takes text without keys only after a key has come up
    await page.keyboard.insertText(line)
    await page.keyboard.press('Enter')
  }
  const paste = async (page: Page, text: string) => {
    await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`)
    await page.keyboard.press('Control+Shift+V')
  }
  /** It looks as it did, and nothing on it keeps anyone out. */
  const look = async (t: Test, page: Page, name: string) => {
    const { differs, skipped } = await compareShot(page, name)
    if (skipped !== undefined) t.comment(`${name} is not compared: ${skipped}`)
    t.equal(differs, undefined)
    if (noAxe) t.comment(noAxe)
    else t.same(await findBarriers(page), [], name)
  }
  const revoke = (id: string) => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })

  const [watched, { id }] = await Promise.all([
    company.grant(3_600_000, shellInstance, 'watched'),
    company.grant(3_600_000, shellInstance),
  ])
  const page = await open(id)

  await t.test('a visit without a sign-in comes back after it; a command runs', async (t) => {
    await signInOn(page, 'alice')
    await page.waitForURL(`${url}/terminal/${id}`)
    await showsOn(page, /\$/)
    await run(page, 'echo $((6*7))x')
    await showsOn(page, /^42x$/m)
    await page.getByText('as deploy').waitFor()
    const top = await page.locator('header').textContent()
    t.match(top, new RegExp(`${shellInstance}prodreadonlyas deployREC(?:59|60) min leftalice@example.com`))
    t.equal(await page.locator('.state').textContent(), 'Live')
    t.match(await page.title(), `${shellInstance} · Terminal · Sallyport`)
  })

  await t.test('the shell knows the size of the window, also after it has changed, and with larger text', async () => {
    const size = async () => ((await page.locator('.size').textContent()) ?? '').split(' × ').map(Number)
    const isKnown = async () => {
      const [cols, rows] = await size()
      await run(page, 'stty size')
      await showsOn(page, new RegExp(`^${rows} ${cols}$`, 'm'))
    }
    await isKnown()
    const [before = 0] = await size()
    await page.setViewportSize({ width: 1000, height: 640 })
    await waitUntil(async () => ((await size())[0] ?? 0) < before, 'it is narrower')
    await isKnown()
    await page.getByRole('button', { name: 'A+, larger text' }).click()
    await page.locator('.emulator').click()
    await isKnown()
    await page.setViewportSize(wide)
  })

  await t.test('colours need no style that the policy forbids; a title stays a caption', async (t) => {
    await run(
      page,
      "clear; printf '\\033]0;Sign in again\\007'; printf '\\033[1;32m%s\\033[0m \\033[38;2;200;80;20m%s\\033[0m\\n' green true; for c in 1 2 3 4 5 6; do printf '\\033[3%dmcolour %d\\033[0m\\n' $c $c; done",
    )
    await showsOn(page, 'colour 6')
    await page.getByText('“Sign in again”').waitFor()
    t.match(await page.title(), shellInstance)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize(wide)
      await look(t, page, `live-${colorScheme}`)
      await page.setViewportSize(narrow)
      await look(t, page, `live-${colorScheme}-390`)
    }
    await page.setViewportSize(wide)
  })

  await t.test('pasted lines are shown first; pasted brackets do not end the brackets', async (t) => {
    await paste(page, 'echo pasted$((1+1))\n')
    const dialog = page.getByRole('dialog', { name: 'Paste 1 line?' })
    await dialog.waitFor()
    await look(t, page, 'paste-dark')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    t.notMatch(await screenOf(page), 'pasted')
    await paste(page, 'echo pasted$((1+1))\n')
    await dialog.getByRole('button', { name: 'Paste' }).click()
    await showsOn(page, /^pasted2$/m)

    await run(page, "printf '\\033[?2004hbracketed\\n'; cat >/dev/null")
    await showsOn(page, /^bracketed$/m)
    await paste(page, 'a\u001b[201~\rid')
    await showsOn(page, /\^\[\[200~a\[201~\n *id\^\[\[201~/)
    await page.keyboard.press('Control+C')
    await showsOn(page, /\^C\s*\$\s*$/)
    await run(page, "printf '\\033[?2004l'; clear")
    await showsOn(page, /^\s*\$\s*$/) // what is typed before the prompt would stand before it
  })

  await t.test('what is selected is copied', async (t) => {
    await run(page, 'echo copy$((1+1))me')
    await showsOn(page, /^copy2me$/m)
    const box = await page.locator('.xterm-rows > div', { hasText: /^copy2me/ }).boundingBox()
    await page.mouse.dblclick((box?.x ?? 0) + 20, (box?.y ?? 0) + 8)
    await page.keyboard.press('Control+Shift+C')
    await page.getByText('Copied 1 line').waitFor()
    t.equal(await page.evaluate('navigator.clipboard.readText()'), 'copy2me')
  })

  await t.test('bare addresses and marked links ask before they open', async (t) => {
    await run(
      page,
      "clear; printf 'see https://xn--pple-43d.com/a?b, or \\033]8;;https://evil.example/x\\033\\\\docs\\033]8;;\\033\\\\\\n'",
    )
    await showsOn(page, /^see https/m)
    const box = await page.locator('.xterm-rows > div', { hasText: /^see https/ }).boundingBox()
    const cellPx =
      (await page.evaluate<number>("document.querySelector('.xterm-screen').clientWidth")) /
      Number((await page.locator('.size').textContent())?.split(' ')[0])
    const at = (column: number) => [(box?.x ?? 0) + (column + 0.5) * cellPx, (box?.y ?? 0) + 8] as const
    const dialog = page.getByRole('dialog')
    const open = async (column: number) => {
      await page.mouse.move(...at(column))
      await page.mouse.click(...at(column))
    }
    await open(8)
    t.equal(await dialog.count(), 0, 'a click alone is the terminal’s')
    await page.keyboard.down('Control')
    for (const [column, host, address] of [
      [8, 'xn--pple-43d.com', 'https://xn--pple-43d.com/a?b'],
      [38, 'evil.example', 'https://evil.example/x'],
    ] as const) {
      await open(column)
      await dialog.getByRole('heading', { name: `Open an address of ${host}?` }).waitFor()
      t.equal(await dialog.locator('.shown').textContent(), address)
      await dialog.getByRole('button', { name: 'Cancel' }).click()
    }
    await page.keyboard.up('Control')
    t.equal(context.pages().length, 1)
  })

  await t.test('a lost network: the same shell goes on, with what it showed meanwhile', async (t) => {
    const state = (name: string) => page.locator('.state', { hasText: name }).waitFor()
    const sessions = ssm.sessions.length
    await run(page, 'mine=kept; sleep 1; echo missed$((1+1))')
    await context.setOffline(true)
    await state('Reconnecting')
    await page.getByRole('status').getByText('The connection was lost. Reconnecting…').waitFor()
    await look(t, page, 'away-dark')
    await page.keyboard.insertText('never')
    await context.setOffline(false)
    await state('Live')
    await page.getByText(/^Reconnected after \d+ seconds?$/).waitFor()
    await showsOn(page, /^missed2$/m)
    await run(page, 'echo $mine$((1+1))')
    await showsOn(page, /^kept2$/m)
    t.notMatch(await screenOf(page), 'never')
    t.equal(ssm.sessions.length, sessions)
    const isOffline = (text: string) => text.includes('ERR_INTERNET_DISCONNECTED')
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !isOffline(text)))
    await page.locator('.trip', { hasText: /^(< 1|\d+) ms$/ }).waitFor()
  })

  await t.test('the toolbar is reached by keyboard', async (t) => {
    await page.keyboard.press('Control+Shift+F6')
    t.equal(await page.locator(':focus').getAttribute('aria-label'), 'A−, smaller text')
    for (const _ of [1, 2, 3]) await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await run(page, 'echo back$((1+1))')
    await showsOn(page, /^back2$/m)
  })

  await t.test('recorded input is announced as long as it lasts', async (t) => {
    const other = await open(watched.id)
    await showsOn(other, /\$/)
    await other.getByText('Everything that you type is recorded as well, passwords included.').waitFor()
    await look(t, other, 'input-recorded')

    await t.test('T-4: a program neither sets nor reads the clipboard, and nothing is typed for it', async (t) => {
      const session = /ses_[0-9a-z]{26}/.exec(ssm.sessions.at(-1)?.reason ?? '')?.[0]
      await other.evaluate("navigator.clipboard.writeText('mine')")
      const typed = String.raw`printf '\033]52;x\r id\r;?\007\033]52;c;?\007\033]52;c;eA==\007'; echo set$((1+1))`
      await run(other, typed)
      await showsOn(other, /^set2$/m)
      t.equal(await other.evaluate('navigator.clipboard.readText()'), 'mine')
      await other.close()
      const ends = `/api/v1/audit/events?type=session.ended&subject=${session}`
      await waitUntil(
        async () => (await company.api<{ events: unknown[] }>('carol', 'GET', ends)).events.length > 0,
        'it has ended',
      )
      const recording = await (await company.call('carol', 'GET', `/api/v1/recordings/${session}`)).text()
      const entries = recording
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type?: string; text?: string })
      const inputs = entries.filter(({ type }) => type === 'input').map(({ text }) => text)
      t.equal(inputs.join(''), `${typed}\r`)
    })
  })

  await t.test('a page of another origin opens no shell, though the browser sends the cookie', async (t) => {
    const before = ssm.sessions.length
    const elsewhere = await context.newPage()
    const { origin } = new URL('http://127.0.0.1:45999') // cookies know no ports
    await elsewhere.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<p>hello' }))
    await elsewhere.goto(`${origin}/`)
    const opened = await elsewhere.evaluate(
      (address) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(address)
          socket.onopen = () => resolve('open')
          socket.onclose = ({ code }) => resolve(`closed ${code}`)
        }),
      `${url.replace('http', 'ws')}/api/v1/connect/shell?resource=${shellInstance}&level=readonly`,
    )
    t.equal(opened, 'closed 1006')
    t.equal(ssm.sessions.length, before)
    await elsewhere.close()
  })

  await t.test('the grant of another person is none', async (t) => {
    const before = ssm.sessions.length
    const bobs = await browser.newContext()
    const [, name = '', value = ''] = /(?:^|; )(sallyport)=([^;]+)/.exec(company.cookie('bob')) ?? []
    await bobs.addCookies([{ name, value, url }])
    const page = await bobs.newPage()
    await page.goto(`${url}/terminal/${id}`)
    await page.getByRole('heading', { name: 'You have no such grant' }).waitFor()
    t.equal(ssm.sessions.length, before)
    await bobs.close()
  })

  await t.test('two tabs, both cut with the reason, and frozen', async (t) => {
    const second = await open(id)
    await showsOn(second, /\$/)
    await run(second, 'echo tab$((1+1))')
    await showsOn(second, /^tab2$/m)
    await revoke(id)
    const reason = 'Access was revoked by bob@example.com: incident 42.'
    for (const one of [second, page]) await one.getByRole('alert').getByText(reason).waitFor({ timeout: 5000 })
    await page.bringToFront()
    const shown = async () => (await screenOf(page)).trimEnd() // the rows below it are fewer now
    const frozen = await shown()
    await page.locator('.emulator').click()
    await run(page, 'echo never')
    t.equal(await shown(), frozen)
    t.notMatch(frozen, 'incident 42', 'the reason stands outside the screen')
    await page.getByRole('button', { name: 'Ask again' }).click()
    t.match(
      await page.locator('.snippet code').textContent(),
      /^sallyport request ec2-instance\/\S+ --level readonly --for 1h --reason 'why'$/,
    )
    await look(t, page, 'cut-dark')
    await page.emulateMedia({ colorScheme: 'light' })
    await look(t, page, 'cut-light')
    await page.setViewportSize(narrow)
    await look(t, page, 'cut-light-390')
    await page.reload()
    await page.getByRole('heading', { name: 'This access has ended' }).waitFor()
    await page.getByText(reason).waitFor()
  })

  await t.test('an auditor watches: the person is told, the log has it, and nothing goes back', async (t) => {
    const hers = await open(watched.id)
    await showsOn(hers, /\$/)
    const carols = await browser.newContext({ viewport: wide })
    const [, name = '', value = ''] = /(?:^|; )(sallyport)=([^;]+)/.exec(company.cookie('carol')) ?? []
    await carols.addCookies([{ name, value, url }])
    const mine = await company.api<{ items: { id: string; grantId: string }[] }>(
      'alice',
      'GET',
      '/api/v1/sessions?open=true',
    )
    const session = mine.items.find(({ grantId }) => grantId === watched.id)?.id
    const watcher = await carols.newPage()
    const sent: unknown[] = []
    watcher.on('websocket', (socket) => {
      if (socket.url().endsWith('/watch')) socket.on('framesent', ({ payload }) => sent.push(payload))
    })
    await watcher.goto(`${url}/sessions/${session}`)
    await watcher.getByRole('link', { name: 'Watch' }).click()
    await hers.getByText('carol@example.com watches this session.').waitFor()
    await hers.bringToFront()
    // What a terminal would answer: what it is, where its cursor is, what its clipboard holds.
    await run(
      hers,
      `printf '\\033[c\\033[6n\\033]52;c;?\\007'; head -c 100000 /dev/zero | tr '\\0' x; echo; echo seen$((1+1))`,
    )
    await showsOn(watcher, /^seen2$/m)
    await watcher.locator('.xterm').click()
    await watcher.keyboard.type('echo never\n')
    await waitUntil(() => sent.length > 0, 'what was shown is acknowledged')
    t.ok(
      sent.every((one) => typeof one === 'string' && /^\{"ack":\d+\}$/.test(one)),
      JSON.stringify(sent.slice(0, 5)),
    )
    t.notMatch(await screenOf(hers), 'never')
    if (!noAxe) t.same(await findBarriers(watcher), [])
    await watcher.getByRole('link', { name: 'Stop watching' }).click()
    await hers.getByText('carol@example.com no longer watches this session.').waitFor()
    const { items } = await company.api<{ items: { type: string; fields: { session: string } }[] }>(
      'carol',
      'GET',
      '/api/v1/audit/events?type=recording.watched&type=recording.watch-ended',
    )
    t.match(items, [{ type: 'recording.watch-ended', fields: { session } }, { type: 'recording.watched' }])
    await carols.close()
  })

  t.same(complaints, [], 'no violation of the policy, no error on the console')
})
