export { dueAfter, dueBefore, scheduleFault } from './cron-schedule.js';
