/**
 * The session document by which files are copied. Its program is fixed: names of files come as data on the terminal that Session
 * Manager gives it, and the broker alone speaks to it (proxy/wire/copy has what is said). `NonInteractiveCommands` would not do: agents
 * drop what such a command is sent.
 */
import type { InstanceLevel } from './level.ts'

/**
 * Runs as the user of the level. The terminal is raw before anything is sent, so that bytes arrive as they are. Upwards a file is written
 * under another name and then renamed; `dd` with whole blocks takes exactly its bytes. Downwards it is base64, since agents drop two
 * bytes of each U+FFFD that a terminal shows. The inner shell is hung up when the agent kills the outer one, and then clears away.
 */
const program = `(
LC_ALL=C; export LC_ALL
temporary=
trap 'rm -f "$temporary"; exit 1' HUP INT TERM
exec 2>/dev/null
refuse() { echo "sallyport refused $1"; exit 3; }
stty raw -echo || refuse "it has no terminal"
for tool in base64 cat chmod dd head mkdir mv rm stat tr; do
  command -v "$tool" >/dev/null || refuse "it has no $tool"
done
cd "$HOME" || cd /
decode() {
  case $1 in
    p*) name=\${1#p} ;;
    *) name=$(printf %s "\${1#b}" | base64 -d && echo .); name=\${name%.} ;;
  esac
}
encode() {
  case $1 in
    *[!A-Za-z0-9._/-]*) token=b$(printf %s "$1" | base64 | tr -d '\\n') ;;
    *) token=p$1 ;;
  esac
}
kind() {
  if [ -d "$1" ]; then echo folder
  elif [ -f "$1" ]; then echo file
  elif [ -e "$1" ] || [ -L "$1" ]; then echo special
  else echo missing
  fi
}
parent() { folder=\${1%/*}; [ -n "$folder" ] || folder=/; }
obstacle() {
  parent "$1"
  word=
  if ! [ -d "$folder" ]; then word=missing
  elif ! [ -w "$folder" ] || ! [ -x "$folder" ]; then word=denied
  fi
}
make() {
  obstacle "$2"
  if [ -d "$2" ]; then echo ok
  elif [ "$(kind "$2")" != missing ]; then echo "no file"
  elif [ -z "$word" ] && mkdir "$2" && chmod "$1" "$2"; then echo ok
  else echo "no \${word:-failed}"
  fi
}
receive() {
  obstacle "$3"
  case $(kind "$3") in
    folder) word=folder ;;
    special) [ -L "$3" ] || word=special ;;
  esac
  temporary=$folder/.{{ session }}
  {
    [ "$2" -lt 65536 ] || dd bs=65536 count=$(($2 / 65536)) iflag=fullblock
    [ $(($2 % 65536)) -eq 0 ] || dd bs=$(($2 % 65536)) count=1 iflag=fullblock
  } | {
    umask 077
    set -C
    [ -z "$word" ] && cat >"$temporary" && exit 0
    cat >/dev/null
    exit 1
  }
  if [ $? -eq 0 ] && [ "$(stat -c %s "$temporary")" = "$2" ] && chmod "$1" "$temporary" && mv -f "$temporary" "$3"
  then echo ok
  else rm -f "$temporary"; echo "no \${word:-failed}"
  fi
  temporary=
}
send() {
  encode "$2"
  if [ -n "$2" ] && [ -L "$1" ]; then echo "skip link $token"
  elif [ -d "$1" ]; then
    if ! [ -r "$1" ] || ! [ -x "$1" ]; then echo "skip denied $token"; return; fi
    echo "folder $(stat -L -c %a "$1") $token"
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
      if [ -e "$entry" ] || [ -L "$entry" ]; then send "$entry" "\${2:+$2/}\${entry##*/}"; fi
    done
  elif ! [ -f "$1" ]; then echo "skip special $token"
  elif ! [ -r "$1" ]; then echo "skip denied $token"
  else
    set -- "$1" "$2" $(stat -L -c '%a %s' "$1")
    echo "file $3 $4 $token"
    head -c "$4" <"$1" | base64
    echo .
  fi
}
tree() {
  case $1$(kind "$2") in
    r*folder | ?file | ?special) send "$2" '' ;;
    ?missing) echo "no missing" ;;
    *) echo "no folder" ;;
  esac
  echo end
}
echo "sallyport ready"
while IFS=' ' read -r verb first second third; do
  case {{ direction }}-$verb in
    up-look) decode "$first"; echo "is $(kind "$name")" ;;
    up-folder) decode "$second"; make "$first" "$name" ;;
    up-file) decode "$third"; receive "$first" "$second" "$name" ;;
    down-tree) decode "$second"; tree "$first" "$name" ;;
    *) break ;;
  esac
done
)
exit $?
`

/** One for each user whose files are copied, and each key of KMS that encrypts its sessions. */
export function copyDocument({ osUser, kmsKey }: Pick<InstanceLevel, 'osUser' | 'kmsKey'>): object {
  return {
    schemaVersion: '1.0',
    description: 'Sallyport: copies files as the broker says',
    sessionType: 'InteractiveCommands',
    inputs: {
      runAsEnabled: true,
      runAsDefaultUser: osUser,
      idleSessionTimeout: '20',
      maxSessionDuration: '1440',
      ...(kmsKey === null ? {} : { kmsKeyId: kmsKey }),
    },
    parameters: {
      session: { type: 'String', description: 'Of the broker', allowedPattern: '^ses_[0-9a-z]{26}$' },
      direction: { type: 'String', description: 'Where files are copied', allowedValues: ['up', 'down'] },
    },
    properties: { linux: { commands: program, runAsElevated: false } },
  }
}
