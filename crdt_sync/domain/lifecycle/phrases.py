"""The sentences in which a ticket is explained, in each language. A table, and nothing that decides."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

ENGLISH: Mapping[str, str] = {
    # how parts are strung together
    "and": " and ",
    "all_of": " and ",
    "or": " or ",
    "comma": ", ",
    "either": "; or ",
    "step": "{name} by {actor}",
    "step_to": "{name} by {actor} says {state}",
    "is": "{what} is {names}",
    "is_not": "{what} is not {names}",
    "the_stage": "the stage",
    # the ticket as a whole
    "unopened": "This ticket has not been opened here yet.",
    "lifecycle_unknown": "This ticket follows a lifecycle that is not here yet, so none of its {count} steps can be"
    " judged.",
    "stage": "The ticket is in the stage {stage}: {kind}.",
    "no_stage": "No row of the stage table fits the lanes, so the ticket has no stage.",
    "row": "Row {number} of {count} of the stage table is the first that fits: {reasons}.",
    "row_always": "Row {number} of {count} of the stage table is the first that fits: it fits whatever the lanes say.",
    "kind_normal": "work goes on as planned",
    "kind_attention": "someone should look at it",
    "kind_compensation": "something was done that no longer fits and must be put right",
    "kind_settled": "nothing is left to do for now",
    "kind_final": "the ticket is finished",
    # one lane
    "lane_initial": "{lane} is {state}, as at the beginning.",
    "lane_one": "{lane} is {state}: {steps}.",
    "lane_agreed": "{lane} is {state}: {steps} agree.",
    "lane_contested": "{lane} is {state}: {steps}, and none of them had seen the others.",
    "earlier": "Earlier in {lane}, and followed by someone who had seen it: {steps}.",
    # what became of one step
    "overtaken_round": "{step} in {lane} was overtaken: {others} started {lane} afresh, and it belongs to what was"
    " before.",
    "overtaken_order": "{step} in {lane} was overtaken: {others} reached further.",
    "overtaken_settled": "{step} in {lane} was overtaken: {others} settled the dispute that it is part of.",
    "overtaken": "{step} in {lane} was overtaken.",
    "inert": "{step} in {lane} has no effect: {reason}.",
    "inert_ticket": "it was made for another ticket",
    "inert_after": "it names as the newest it had seen a step that another one it names already follows",
    "inert_lifecycle": "it was made under another lifecycle than this ticket's",
    "inert_unknown": "the lifecycle has no such step",
    "inert_role": "{actor} acted as {roles}, and only {allowed} may do this",
    "inert_from": "{lane} was {state} in what {actor} had seen, and the step needs {sources}",
    "inert_if": "in what {actor} had seen it was not so that {conditions}",
    # what a person should do
    "flag_overtaken": "Please review {lane}: {steps} did not take effect because {lane} was started afresh at the same"
    " time; it must not be forgotten.",
    "flag_payload_conflict": "Please review {lane}: {steps} say the same but carry different details.",
    "owed": "To be done: {steps}.",
    "owed_because": "To be done: {steps}, because of {causes}.",
    "owed_in": "{names} in {lane} (by {roles})",
    # what is not in the picture
    "pending": "Still waiting for something that has not arrived, and not counted above: {count}.",
    "quarantined": "Set aside, as part of another ticket or no valid opening: {count}.",
}

CHINESE: Mapping[str, str] = {
    "and": "和",
    "all_of": "且",
    "or": "或",
    "comma": "、",
    "either": "；或",
    "step": "{actor} 的“{name}”",
    "step_to": "{actor} 的“{name}”表示“{state}”",
    "is": "{what}为“{names}”",
    "is_not": "{what}不是“{names}”",
    "the_stage": "阶段",
    "unopened": "此工单在这里尚未开立。",
    "lifecycle_unknown": "此工单的流程定义尚未到达，其 {count} 个步骤暂时无法判断。",
    "stage": "工单处于“{stage}”阶段：{kind}。",
    "no_stage": "阶段表中没有一行符合各环节的状态，工单没有阶段。",
    "row": "阶段表共 {count} 行，第 {number} 行最先符合：{reasons}。",
    "row_always": "阶段表共 {count} 行，第 {number} 行最先符合：它对任何状态都适用。",
    "kind_normal": "工作按计划进行",
    "kind_attention": "需要有人关注",
    "kind_compensation": "已做的工作不再适用，必须纠正",
    "kind_settled": "目前无需再做什么",
    "kind_final": "工单已结束",
    "lane_initial": "{lane}为“{state}”，即初始状态。",
    "lane_one": "{lane}为“{state}”：{steps}。",
    "lane_agreed": "{lane}为“{state}”：{steps}，结果一致。",
    "lane_contested": "{lane}为“{state}”：{steps}，彼此事先都不知道对方的操作。",
    "earlier": "{lane}此前的步骤，后来的人已看到并继续处理：{steps}。",
    "overtaken_round": "{lane}中{step}已被超越：{others}使{lane}重新开始，它属于之前的一轮。",
    "overtaken_order": "{lane}中{step}已被超越：{others}进展更远。",
    "overtaken_settled": "{lane}中{step}已被超越：{others}裁定了它所涉及的争议。",
    "overtaken": "{lane}中{step}已被超越。",
    "inert": "{lane}中{step}无效：{reason}。",
    "inert_ticket": "它属于另一张工单",
    "inert_after": "它把一个步骤列为所见最新，而它列出的另一步骤已包含前者",
    "inert_lifecycle": "它依据的流程定义与此工单不同",
    "inert_unknown": "流程中没有这个步骤",
    "inert_role": "{actor} 的角色是 {roles}，只有 {allowed} 可以执行",
    "inert_from": "{actor} 当时看到{lane}为“{state}”，而该步骤要求“{sources}”",
    "inert_if": "{actor} 当时看到的情况不满足：{conditions}",
    "flag_overtaken": "请复核{lane}：{steps}因{lane}同时重新开始而没有生效，请勿遗忘。",
    "flag_payload_conflict": "请复核{lane}：{steps}结果相同，但内容不同。",
    "owed": "待办：{steps}。",
    "owed_because": "待办：{steps}，起因是{causes}。",
    "owed_in": "{lane}的“{names}”（由 {roles} 执行）",
    "pending": "另有 {count} 个步骤在等待尚未到达的内容，未计入以上结果。",
    "quarantined": "有 {count} 个条目被搁置：属于另一张工单，或不是有效的开立。",
}

PHRASES: Mapping[Language, Mapping[str, str]] = {"en": ENGLISH, "zh": CHINESE}
