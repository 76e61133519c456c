// Real brokers and stores on this machine: `node tools/services.ts up`. See tools/services/cli.ts.
import { main } from './services/cli.ts'

process.exitCode = await main(process.argv.slice(2))
