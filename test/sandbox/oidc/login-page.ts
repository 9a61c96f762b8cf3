import { type Account, password } from './accounts.ts'

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: light-dark(#f4f5f7, #16181d) }
main { width: 22rem; padding: 2rem; border-radius: 12px; background: light-dark(#fff, #22252c); box-shadow: 0 8px 30px #0002 }
h1 { margin: 0; font-size: 1.3rem } p { margin: .2rem 0 1.2rem; opacity: .7; font-size: .9rem }
label.person { display: flex; gap: .7rem; padding: .55rem .7rem; margin-bottom: .4rem; border: 1px solid #8884; border-radius: 8px; cursor: pointer }
label.person:has(:checked) { border-color: #3563e9; background: #3563e914 } small { opacity: .65; display: block; line-height: 1.2 }
input[type=password] { box-sizing: border-box; width: 100%; padding: .55rem .7rem; margin: .6rem 0 1rem; border: 1px solid #8886; border-radius: 8px; font: inherit; background: transparent; color: inherit }
button { width: 100%; padding: .65rem; border: 0; border-radius: 8px; background: #3563e9; color: #fff; font: inherit; font-weight: 600; cursor: pointer }
.error { color: #d33; opacity: 1 }`

/** The whole page: choose one of the accounts, type the password, done. Works without scripts. */
export function loginPage(action: string, accounts: Iterable<Account>, error: string): string {
  const people = [...accounts].map(
    ({ sub, name, title, groups, disabled }, index) =>
      `<label class="person"><input type="radio" name="username" value="${sub}"${index === 0 ? ' checked' : ''}>
       <span>${name} · ${title}<small>${disabled ? 'disabled' : groups.join(', ')}</small></span></label>`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox sign-in</title>
<meta name="viewport" content="width=device-width"><style>${style}</style></head><body><main>
<h1>Sandbox sign-in</h1><p>The company’s identity provider. The password is “${password}”.</p>
${error ? `<p class="error" role="alert">${error}</p>` : ''}
<form method="post" action="${action}">${people.join('\n')}
<input type="password" name="password" placeholder="password" aria-label="password" autocomplete="current-password" required>
<button type="submit">Sign in</button></form></main></body></html>`
}
