/**
 * The session document by which the key of one SSH session is put in and removed. The broker knows what it must be, so that no digest
 * is configured. It waits a minute at most, within which the session has to sign in, and removes the key whatever becomes of the broker.
 */
import { singleQuoted } from '../../../proxy/local/shell-quote.ts'

/**
 * Runs as the user whose key it is. The time of expiry is in the zone of the instance, as sshd reads it. The file is replaced in one
 * step, so that sshd never sees a part of it; lines that an instance which was switched off has kept go with the next key.
 */
const command = `umask 077
mark="sallyport-{{ session }}"
home=$(getent passwd "$(id -un)" | cut -d: -f6)
keys="$home/.ssh/authorized_keys"
refuse() { echo "sallyport refused $1"; exit 3; }
PATH="$PATH:/usr/sbin:/usr/local/sbin"
set -- $(sshd -V 2>&1 | sed -n 's/.*OpenSSH_\\([0-9]*\\)\\.\\([0-9]*\\).*/\\1 \\2/p' | head -n 1)
[ -n "$1" ] || refuse "there is no OpenSSH server"
[ "$1" -gt 7 ] || { [ "$1" -eq 7 ] && [ "$2" -ge 7 ]; } || refuse "OpenSSH $1.$2 knows no keys that expire"
mkdir -p "$home/.ssh" && touch "$keys" && exec 9<"$home/.ssh" || refuse "its authorized_keys cannot be written"
edit() {
  flock 9 2>/dev/null
  awk -v mark="$mark" -v now="$(date +%Y%m%d%H%M%S)" '
    $NF == mark { next }
    $NF ~ /^sallyport-ses_/ && match($0, /expiry-time="[0-9]+"/) && substr($0, RSTART + 13, 14) < now { next }
    { print }' "$keys" >"$keys.$mark" &&
    { [ -z "$1" ] || echo "$1" >>"$keys.$mark"; } &&
    mv -f "$keys.$mark" "$keys"
  code=$?
  flock -u 9 2>/dev/null
  return $code
}
remove() { [ -z "$waiting" ] || kill "$waiting" 2>/dev/null; edit '' && echo "sallyport removed"; }
trap remove EXIT
trap 'exit 0' INT TERM HUP
expires=$(date -d "@$(($(date +%s) + 60))" +%Y%m%d%H%M%S) || refuse "its date is not known"
limits=
[ "{{ mode }}" = full ] || limits=restrict,pty,
edit "\${limits}expiry-time=\\"$expires\\" ssh-ed25519 {{ key }} $mark" || refuse "its authorized_keys cannot be written"
for file in /etc/ssh/ssh_host_*_key.pub; do
  [ -r "$file" ] && echo "sallyport host $(cut -d ' ' -f 1,2 "$file")"
done
echo "sallyport ready"
sleep 60 >/dev/null 2>&1 9<&- &
waiting=$!
wait "$waiting"
`

/** One for each user whose keys are put in. */
export function sshDocument(osUser: string): object {
  return {
    schemaVersion: '1.0',
    description: 'Sallyport: puts the key of one SSH session in, and removes it',
    sessionType: 'NonInteractiveCommands',
    inputs: {
      runAsEnabled: true,
      runAsDefaultUser: osUser,
      idleSessionTimeout: '5',
      maxSessionDuration: '5',
    },
    parameters: {
      session: { type: 'String', description: 'Of the broker', allowedPattern: '^ses_[0-9a-z]{26}$' },
      key: { type: 'String', description: 'Base64 of an Ed25519 key', allowedPattern: '^[A-Za-z0-9+/]{68}$' },
      mode: { type: 'String', description: 'What the key may do', allowedValues: ['restricted', 'full'] },
    },
    // Agents run the first word of it with the others: no shell reads it before.
    properties: {
      linux: { commands: `sh -c ${singleQuoted(command)}`, runAsElevated: false, separateOutputStream: true },
    },
  }
}
