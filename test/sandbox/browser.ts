#!/usr/bin/env node
import { createPerson } from './person.ts'

/** `node browser.ts ACCOUNT URL`: plays the browser of one of the sandbox's people, from a sign-in link to its end. */
const [account, url] = process.argv.slice(2)
if (!account || !url) {
  console.error('usage: browser.ts ACCOUNT URL')
  process.exitCode = 2
} else {
  try {
    const page = await createPerson(account).signIn(url)
    const { origin, pathname } = new URL(page.url) // not the query: it may carry a code
    console.log(`${account} ended at ${origin}${pathname} with status ${page.status}`)
    if (page.status >= 400) throw new Error(page.body.slice(0, 500))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
