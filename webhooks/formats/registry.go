package formats

// All returns every format, those for programs first.
func All() []Format {
	return []Format{
		standard{},
		cloudEvents{},
		slack{},
		teams{},
		feishu{"feishu", "Feishu", "open.feishu.cn"},
		feishu{"lark", "Lark", "open.larksuite.com"},
		dingTalk{},
		weCom{},
		discord{},
		mattermost{},
		googleChat{},
		telegram{},
		matrix{},
		rocketChat{},
		zulip{},
	}
}

// ByName returns the format whose Name is name, and whether it exists.
func ByName(name string) (Format, bool) {
	for _, format := range All() {
		if format.Name() == name {
			return format, true
		}
	}
	return nil, false
}
