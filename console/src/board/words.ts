/** The words of the board, beside those of the other views: they are loaded with it. */

import type { Language } from "../lifecycle/model.ts";
import { useLanguage } from "../views/preferences.ts";
import { fill, type Values } from "../views/words.ts";

const WORDS = {
  board: { en: "Operations board", zh: "运营看板" },
  of_department: { en: "What {department} may see", zh: "{department} 可见范围" },
  loading: { en: "Counting what has happened…", zh: "正在统计…" },
  days_of: { en: "Days are those of {zone}.", zh: "日期按 {zone} 时区统计。" },
  not_kept: {
    en: "This browser keeps no figures: after a reload they are counted anew.",
    zh: "浏览器未能保存统计数据：重新加载后将重新统计。",
  },
  offline: { en: "Offline: these are the figures of the last connection.", zh: "离线：显示上次连接时的数据。" },
  stopped: { en: "The service does not tell events: {message}", zh: "服务器未提供事件：{message}" },
  open: { en: "Open tickets", zh: "未完成工单" },
  overdue: { en: "Overdue", zh: "逾期" },
  waiting: { en: "Customers waiting", zh: "等待回复的客户" },
  stuck: { en: "Stuck tickets", zh: "停滞工单" },
  stages: { en: "Tickets by stage", zh: "各阶段工单" },
  stage: { en: "Stage", zh: "阶段" },
  no_stage: { en: "no stage fits", zh: "无匹配阶段" },
  tickets: { en: "Tickets", zh: "工单数" },
  flow: { en: "Flow by day", zh: "每日流量" },
  day: { en: "Day", zh: "日期" },
  opened: { en: "Opened", zh: "新建" },
  ended: { en: "Ended", zh: "结束" },
  reopened: { en: "Reopened", zh: "重新打开" },
  obligations: { en: "Obligations by age", zh: "待办时长" },
  owed_by: { en: "Owed by", zh: "负责方" },
  age_0: { en: "under 1 h", zh: "1 小时内" },
  age_1: { en: "1 to 4 h", zh: "1–4 小时" },
  age_2: { en: "4 to 24 h", zh: "4–24 小时" },
  age_3: { en: "1 to 3 days", zh: "1–3 天" },
  age_4: { en: "over 3 days", zh: "超过 3 天" },
  or: { en: " or ", zh: " 或 " },
  stuck_after: { en: "Quiet for", zh: "无进展超过" },
  stuck_note: {
    en: "Something is owed in these, and it is overdue or nobody has touched them for {days}.",
    zh: "以下工单有待办事项，且已逾期或 {days} 内无人处理。",
  },
  stuck_more: { en: "and {count} more", zh: "另有 {count} 个" },
  ticket: { en: "Ticket", zh: "工单" },
  since: { en: "Last moved", zh: "最后进展" },
  yes: { en: "yes", zh: "是" },
  no: { en: "no", zh: "否" },
  responses: { en: "Response times by department and day, the median", zh: "各部门每日响应时间（中位数）" },
  department: { en: "Department", zh: "部门" },
  on_platform: { en: "on the platform", zh: "在平台上" },
  answers: { en: "Answers", zh: "回复数" },
  within_hour: { en: "Within an hour", zh: "一小时内" },
  median: { en: "Median", zh: "中位数" },
  p95: { en: "95 % within", zh: "95% 在此之内" },
  longest: { en: "Longest", zh: "最长" },
  channels: { en: "Messages by channel and day", zh: "各渠道每日消息" },
  channel: { en: "Channel", zh: "渠道" },
  no_chat: { en: "no chat", zh: "非聊天" },
  received: { en: "Received", zh: "收到" },
  answered: { en: "Answered", zh: "回复" },
  other: { en: "Of the system", zh: "系统消息" },
  failed: { en: "Not delivered", zh: "发送失败" },
  service: { en: "Service and connected replicas", zh: "服务与已连接副本" },
  ready: { en: "The service is ready.", zh: "服务正常。" },
  not_ready: { en: "The service cannot commit: {message}", zh: "服务无法提交：{message}" },
  no_answer: { en: "The service does not answer.", zh: "服务没有响应。" },
  connected: { en: "{count} of {department} connected", zh: "{department} 有 {count} 人在线" },
  person: { en: "Person", zh: "人员" },
  connections: { en: "Connections", zh: "连接" },
  nothing: { en: "Nothing to show yet.", zh: "暂无数据。" },
  table: { en: "As a table", zh: "表格" },
  csv: { en: "CSV of {title}", zh: "导出 {title} CSV" },
} as const satisfies Record<string, Record<Language, string>>;

export type BoardWord = keyof typeof WORDS;
export type BoardWords = (word: BoardWord, values?: Values) => string;

export function useBoardWords(): BoardWords {
  const language = useLanguage();
  return (word, values = {}) => fill(WORDS[word][language], values);
}
