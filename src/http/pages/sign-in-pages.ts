import type { BrokerError } from '../../../proxy/session.ts'
import { shownName } from '../../identity/names.ts'
import type { Login } from '../../identity/principal.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import type { DeviceRequest } from '../../identity/sign-in/device-codes.ts'
import { type Html, html } from './html.ts'

/** Who is signed in, and what to type next. */
export function landing(login: Login, publicUrl: string): Html {
  const { principal, roles } = login
  return html`<dl>
<dt>Signed in as</dt><dd>${principal.name}</dd>
<dt>Groups</dt><dd>${principal.groups.join(', ') || 'none'}</dd>
<dt>Roles</dt><dd>${roles.join(', ')}</dd>
</dl>
${login.probed === false ? html`<p>${unprobed(login.expiresAt)}</p>` : html``}
<p>Next, in a terminal:</p>
<pre>sallyport login --server ${publicUrl}
sallyport ls
sallyport request NAME --level LEVEL --for 1h --reason "why"
sallyport psql NAME    # PostgreSQL
sallyport mysql NAME   # MySQL and MariaDB
sallyport shell NAME   # EC2; in this browser: ${publicUrl}/terminal/GRANT</pre>
<p><a href="/logout">Sign out</a></p>`
}

/** For a person whose login has no refresh token. */
function unprobed(expiresAt: number): string {
  const until = `${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return `Your identity provider issued no refresh token, so this login cannot be checked until it ends at ${until}. Sign out when you are done.`
}

export function signOut(login: Login): Html {
  return html`<p>You are signed in as ${login.principal.name} in this browser.</p>
<form method="post" action="/logout"><button>Sign out</button></form>
<p><a href="/">Back</a></p>`
}

export function signedOut(): Html {
  return html`<p>You are signed out of Sallyport in this browser. You may still be signed in at your identity provider.</p>
<p><a href="/">Sign in again</a></p>`
}

const nameOf = ({ claims: { email, emailVerified, username, name }, subject }: Confirmation['vouched']) =>
  shownName({ email: emailVerified ? email : null, username, name, subject })

/** @param address of the browser, as we see it */
export function confirmCommand(confirmation: Confirmation, port: number, address: string): Html {
  return html`<p>A command on this computer is asking to sign in as you.</p>
<dl>
<dt>Signed in as</dt><dd>${nameOf(confirmation.vouched)}</dd>
<dt>Request from</dt><dd>${address}</dd>
<dt>Waiting at</dt><dd>127.0.0.1, port ${port}</dd>
</dl>
<p>If you did not just run <code>sallyport login</code> on this computer, choose Cancel.</p>
<form method="post" action="/cli/confirm">
<input type="hidden" name="form" value="${confirmation.formId}">
<button class="go" name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Cancel</button>
</form>`
}

export function deviceForm(confirmation: Confirmation, problem?: string): Html {
  return html`<p>Signed in as ${nameOf(confirmation.vouched)}. Enter the code shown by <code>sallyport login --device</code>.</p>
${problem ? html`<p role="alert"><strong>${problem}</strong></p>` : html``}
<form method="post" action="/device">
<input type="hidden" name="form" value="${confirmation.formId}">
<label>Code <input name="user_code" autocomplete="off" autofocus maxlength="20" required></label>
<button class="go">Continue</button>
</form>
<p>Never enter a code that someone sent you: it would sign them in as you.</p>`
}

/** @param now epoch milliseconds */
export function confirmDevice(confirmation: Confirmation, request: DeviceRequest, now: number): Html {
  const seconds = Math.max(0, Math.round((now - request.startedAt) / 1000))
  return html`<p>A command on another machine is asking to sign in as you.</p>
<dl>
<dt>Signed in as</dt><dd>${nameOf(confirmation.vouched)}</dd>
<dt>Code</dt><dd>${request.userCode}</dd>
<dt>Request from</dt><dd>${request.address}, ${seconds} s ago</dd>
</dl>
<p>If you did not run this command, or don't recognise the address, choose Deny.</p>
<form method="post" action="/device/decide">
<input type="hidden" name="form" value="${confirmation.formId}">
<input type="hidden" name="user_code" value="${request.userCode}">
<button class="go" name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Deny</button>
</form>`
}

export function deviceDone(approved: boolean): Html {
  return approved
    ? html`<p>The command is signed in. You may close this page.</p>`
    : html`<p>The sign-in was denied. You may close this page.</p>`
}

export function failure(error: BrokerError): Html {
  return html`<p role="alert">${error.message}</p>
${error.hint ? html`<p>${error.hint}</p>` : html``}
<p><a href="/">Start again</a></p>`
}
