// Runs on any Node from 18 on, so that an old one is told apart in one clear line. Node 24 runs our TypeScript as it is.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const wanted = 24
const installed = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url))
const setpriv = '/usr/bin/setpriv'

/**
 * Tells whether this process may go on. Otherwise it has either begun the same script again under the installed Node 24,
 * whose output, signals and exit code are passed through, or said what is missing and set the exit code.
 * @param {string} script address of the script that was started
 */
export function onNode24(script) {
  if (Number(process.versions.node.split('.')[0]) >= wanted) return true
  if (existsSync(installed)) again(fileURLToPath(script))
  else {
    process.stderr.write(
      `headrace needs Node ${wanted} or newer (this is ${process.versions.node}): run \`npm ci\` first, which installs one for this folder.\n`,
    )
    process.exitCode = 1
  }
  return false
}

function again(script) {
  const command = [installed, ...process.execArgv, '--', script, ...process.argv.slice(2)]
  // As one process would be: killing this one kills the child, too, where the system can do that.
  if (existsSync(setpriv)) command.unshift(setpriv, '--pdeathsig', 'KILL')
  const child = spawn(command[0], command.slice(1), { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both, and twice means "leave at once": then it is not passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`headrace could not start ${command[0]}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}
